// Command simulator imitates the push vendors on this machine, with faults on
// demand. It knows only flags and signals; the vendors are in internal/simulator.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/buildinfo"
	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/healthcheck"
	"github.com/postrider/postrider/internal/simulator"
)

// shutdownTimeout is how long requests in flight may take after a signal.
const shutdownTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// failure marks an error of the server or of a health check; every other error
// is wrong usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// run returns the exit code: 0 after a signal, 1 when serving failed, 2 for
// wrong flags or rules.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := command(stdout, stderr)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "simulator:", err)
	if _, ok := errors.AsType[failure](err); ok {
		return 1
	}
	return 2
}

type flags struct {
	listen, faults string
	tlsDir         string
	tlsNames       []string
	json, version  bool
	opt            simulator.Options
}

func command(stdout, stderr io.Writer) *cobra.Command {
	var f flags
	demo := simulator.DemoCredential()
	cmd := &cobra.Command{
		Use:   "simulator",
		Short: "Imitate the push vendors on this machine",
		Long: "simulator imitates the push vendors on this machine, all on one address.\n\n" +
			fmt.Sprintf("Without --any-credentials every vendor knows one app: id %s, secret %s, project %s.\n", demo.App, demo.Secret, demo.Project) +
			"Tokens that begin with \"bad-\" are invalid.\n" +
			"To receive receipts, PUT their addresses to /_simulator/receipts, like\n" +
			"{\"huawei\": {\"url\": \"http://127.0.0.1:8080/receipts/shop/huawei\", \"secret\": \"s\", \"late\": \"1s\"}}.\n" +
			"Receipts for tokens that begin with \"lost-\" say that the token is invalid.",
		Args:               cli.NoArgs,
		SilenceUsage:       true,
		SilenceErrors:      true,
		DisableSuggestions: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.version {
				return buildinfo.Read().Print(stdout, "simulator", f.json)
			}
			return serve(cmd.Context(), f, stdout, stderr)
		},
	}
	cmd.AddCommand(healthcheckCommand(&f))
	cli.Prepare(cmd, stdout)
	all := cmd.PersistentFlags()
	all.StringVar(&f.listen, "listen", "127.0.0.1:8081", "`ADDRESS` to listen on, as host:port")
	all.StringVar(&f.tlsDir, "tls-dir", "", "serve https with the certificate in this `FOLDER`; it is created if it is missing or expires within 30 days.\nClients trust the folder's ca.pem, whose private key is not stored")
	all.StringSliceVar(&f.tlsNames, "tls-names", []string{"simulator", "localhost"}, "host `NAMES` and IP addresses that the certificate is for")
	fs := cmd.Flags()
	fs.StringVar(&f.faults, "faults", "", "JSON `FILE` of fault rules that are active from the start")
	fs.Float64Var(&f.opt.Invalid, "invalid", 0, "`SHARE` of push tokens that are invalid, 0 to 1")
	fs.DurationVar(&f.opt.Latency, "latency", 0, "`DURATION` of every answer")
	fs.Float64Var(&f.opt.Rate, "rate", 0, "`NUMBER` of requests or tokens (the vendor's unit) that an app may send per second; 0 is no limit")
	fs.Uint64Var(&f.opt.Seed, "seed", 1, "`SEED` of all random decisions")
	fs.BoolVar(&f.opt.AnyCredentials, "any-credentials", false, "accept any id and secret")
	fs.BoolVar(&f.opt.Sink, "sink", false, "answer every send with success, without reading or counting it")
	fs.BoolVar(&f.json, "json", false, "print the address, or the version, as JSON")
	fs.BoolVar(&f.version, "version", false, "print version, commit and Go version")
	return cmd
}

// healthcheckCommand checks the simulator that runs with the same flags.
func healthcheckCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit 0 if the simulator with these flags answers; for containers",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.checkNames(); err != nil {
				return err
			}
			s := healthcheck.Server{Listen: f.listen}
			if f.tlsDir != "" {
				ca, err := simulator.Authority(f.tlsDir)
				if err != nil {
					return failure{fmt.Errorf("--tls-dir: %w", err)}
				}
				s.TLS = &tls.Config{RootCAs: ca, ServerName: f.tlsNames[0], MinVersion: tls.VersionTLS12}
			}
			if err := s.Check(cmd.Context(), "/_simulator/faults"); err != nil {
				return failure{fmt.Errorf("health check of %s: %w", f.listen, err)}
			}
			return nil
		},
	}
}

func serve(ctx context.Context, f flags, stdout, stderr io.Writer) error {
	sim, err := open(f)
	if err != nil {
		return err
	}
	url, stop, err := listen(sim, f)
	if err != nil {
		return err
	}
	err = announce(f, url, stdout, stderr)
	if err == nil {
		<-ctx.Done()
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err = errors.Join(err, stop(bounded)); err != nil {
		return failure{fmt.Errorf("serve: %w", err)}
	}
	return nil
}

// listen serves over TLS if there is a folder for the certificate.
func listen(sim *simulator.Simulator, f flags) (url string, stop func(context.Context) error, err error) {
	if f.tlsDir == "" {
		url, stop, err = sim.Listen(f.listen)
	} else {
		var cert tls.Certificate
		if err = f.checkNames(); err != nil {
			return "", nil, err
		}
		if cert, err = simulator.Certificate(f.tlsDir, f.tlsNames, time.Now()); err != nil {
			return "", nil, failure{fmt.Errorf("--tls-dir: %w", err)}
		}
		url, stop, err = sim.ListenTLS(f.listen, cert)
	}
	if err != nil {
		return "", nil, failure{fmt.Errorf("serve: %w", err)}
	}
	return url, stop, nil
}

// checkNames refuses an empty list and empty names.
func (f flags) checkNames() error {
	if len(f.tlsNames) == 0 || slices.Contains(f.tlsNames, "") {
		return errors.New("--tls-names: want names, like simulator,localhost")
	}
	return nil
}

func open(f flags) (*simulator.Simulator, error) {
	switch {
	case !(f.opt.Invalid >= 0 && f.opt.Invalid <= 1):
		return nil, errors.New("--invalid: want a share between 0 and 1")
	case !(f.opt.Rate >= 0):
		return nil, errors.New("--rate: want 0 or more; 0 is no limit")
	case f.opt.Latency < 0:
		return nil, errors.New("--latency: want a duration of 0 or more, like 50ms")
	}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		return nil, fmt.Errorf("--listen: %q is not host:port, like 127.0.0.1:8081", f.listen)
	}
	sim := simulator.New(f.opt)
	if f.faults == "" {
		return sim, nil
	}
	text, err := os.ReadFile(f.faults)
	if err != nil {
		return nil, fmt.Errorf("--faults: %w", err)
	}
	faults, err := simulator.ParseFaults(text)
	if err == nil {
		err = sim.SetFaults(faults)
	}
	if err != nil {
		return nil, fmt.Errorf("--faults: %w", err)
	}
	return sim, nil
}

func announce(f flags, url string, stdout, stderr io.Writer) error {
	if _, err := fmt.Fprintf(stderr, "set faults: POST %[1]s/_simulator/faults; see the requests: GET %[1]s/_simulator/report\n", url); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if f.json {
		return json.NewEncoder(stdout).Encode(map[string]string{"url": url})
	}
	_, err := fmt.Fprintln(stdout, url)
	return err
}
