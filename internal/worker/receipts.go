package worker

import (
	"context"

	"github.com/postrider/postrider/internal/receipt"
)

func (w *Worker) receiptConfig() receipt.Config {
	return receipt.Config{
		Store: &receipt.Store{Redis: w.rdb}, Meter: w.metrics, Log: w.log, Now: w.clock.Now,
		Find: w.account,
	}
}

// applyReceipts starts the goroutine that applies receipts; stopReceipts ends
// it and waits for it.
func (w *Worker) applyReceipts() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	consumer := &receipt.Consumer{Config: w.receiptConfig(), Ledger: w.book}
	go func() {
		defer close(done)
		consumer.Run(ctx)
	}()
	w.stopReceipts = func() {
		cancel()
		<-done
	}
}
