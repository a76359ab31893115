package main

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// explainRedis adds to an error of Redis what the user can do about it. Redis is
// the only server that the program talks to.
func (p *program) explainRedis(err error) error {
	if p.rdb == nil {
		return err
	}
	_, lost := errors.AsType[*net.OpError](err)
	_, unresolved := errors.AsType[*net.DNSError](err)
	if lost || unresolved {
		return fmt.Errorf("%w (Redis cannot be reached: check that it runs, and redis.url in %s)", err, p.cfg.File)
	}
	reply, ok := errors.AsType[redis.Error](err)
	if !ok {
		return err
	}
	switch code, _, _ := strings.Cut(reply.Error(), " "); code {
	case "WRONGPASS", "NOAUTH":
		return fmt.Errorf("%w (Redis refuses the login: check user and password in redis.url in %s)", err, p.cfg.File)
	case "NOPERM":
		return fmt.Errorf("%w (the Redis user has too few rights: worker check-config lists the missing ones)", err)
	}
	return err
}
