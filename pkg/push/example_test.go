package push_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push"
)

// redisForExample stands for the Redis that the workers use.
func redisForExample() (rdb *redis.Client, stop func()) {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		panic(err)
	}
	rdb = redis.NewClient(&redis.Options{Addr: server.Addr()})
	return rdb, func() {
		_ = rdb.Close()
		server.Close()
	}
}

// options would have registry.ForClient() as its vendors.
func options() push.Options {
	return push.Options{Vendors: []push.Vendor{{Name: "huawei", Batch: 1000}, {Name: "xiaomi", Batch: 1000}}}
}

func Example() {
	rdb, stop := redisForExample()
	defer stop()

	client, err := push.NewClient(rdb, options())
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := client.Enqueue(context.Background(), push.Job{
		ID:      "order-42-shipped",
		App:     "shop",
		Message: push.Message{Category: "ORDER", Title: "Shipped", Body: "Your order 42 is on its way"},
		Targets: map[string][]string{"huawei": {"token-1", "token-2", "token-1"}, "xiaomi": {"regid-1", "not a token"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: %d tokens in %d chunks\n", result.Job, result.Accepted, result.Chunks)
	for _, r := range result.Refused {
		fmt.Printf("token %d for %s %s\n", r.Position, r.Vendor, r.Reason)
	}
	// Output:
	// order-42-shipped: 3 tokens in 2 chunks
	// token 2 for xiaomi holds white space
}

// Jobs of one token each share chunks, and each has its own outcome.
func ExampleClient_EnqueueMany() {
	rdb, stop := redisForExample()
	defer stop()

	client, err := push.NewClient(rdb, options())
	if err != nil {
		fmt.Println(err)
		return
	}
	job := func(id, title string) push.Job {
		return push.Job{
			ID: id, App: "shop", Message: push.Message{Title: title, Body: "Open the app to see more"},
			Targets: map[string][]string{"huawei": {"token-of-" + id}},
		}
	}
	outcomes := client.EnqueueMany(context.Background(), []push.Job{
		job("order-1", "Shipped"), job("order-2", ""), job("order-1", "Shipped again"), job("order-3", "Delivered"),
	})
	for _, o := range outcomes {
		fmt.Println(o.Result.Job, o.Result.Accepted, o.Err)
	}
	// Output:
	// order-1 1 <nil>
	// order-2 0 message.title: is missing: a notification needs one
	// order-1 0 job order-1: duplicate job id
	// order-3 1 <nil>
}

// A file of millions of tokens goes through a Stream: nothing is sent before
// Commit, and Abort takes everything back.
func ExampleClient_Open() {
	rdb, stop := redisForExample()
	defer stop()

	client, err := push.NewClient(rdb, options())
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	file := strings.NewReader("token-1\ntoken-2\n\ntoken-1\ntoken-3\n")

	stream, err := client.Open(push.Job{ID: "campaign-7", App: "shop", Message: push.Message{Title: "Sale", Body: "Today only"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if err := stream.Add(ctx, n, "huawei", lines.Bytes()); err != nil {
			fmt.Println(err, stream.Abort(ctx))
			return
		}
	}
	if err := lines.Err(); err != nil { // a file that breaks off is not sent at all
		fmt.Println(err, stream.Abort(ctx))
		return
	}
	result, err := stream.Commit(ctx)
	if err != nil {
		fmt.Println(err) // send the file again: the job is completed
		return
	}
	fmt.Println(result.Accepted, "accepted")
	for _, r := range result.Refused {
		fmt.Printf("line %d %s\n", r.Position, r.Reason)
	}
	// Output:
	// 3 accepted
	// line 3 is empty
}

// An error says who is at fault: the job, its id, or Redis.
func ExampleClient_Enqueue_errors() {
	rdb, stop := redisForExample()
	defer stop()

	client, err := push.NewClient(rdb, options())
	if err != nil {
		fmt.Println(err)
		return
	}
	right := push.Job{
		ID: "order-42", App: "shop", Message: push.Message{Title: "Shipped", Body: "On its way"},
		Targets: map[string][]string{"huawei": {"token-1"}},
	}
	wrong := push.Job{Priority: "urgent", App: "shop", Message: push.Message{Title: "Shipped"}, Targets: right.Targets}
	for _, job := range []push.Job{right, right, wrong} {
		_, err := client.Enqueue(context.Background(), job)
		var invalid *push.InvalidError
		switch {
		case err == nil:
			fmt.Println("enqueued")
		case errors.Is(err, push.ErrDuplicate):
			fmt.Println("enqueued before")
		case errors.As(err, &invalid):
			for _, f := range invalid.Faults {
				fmt.Println(f.Field, f.Reason)
			}
		default:
			fmt.Println("try again later:", err)
		}
	}
	// Output:
	// enqueued
	// enqueued before
	// message.body is missing: a notification needs one
	// priority is "urgent", want high, normal, bulk
}
