package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postrider/postrider/internal/receipt"
	"github.com/postrider/postrider/internal/secret"
	"github.com/postrider/postrider/internal/status"
)

// listen starts the HTTP server: the UI with its password, and the endpoints for
// programs without one.
func (w *Worker) listen(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { respond(rw, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", w.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(w.metrics.Registry, promhttp.HandlerOpts{}))
	receipts := receipt.NewHandler(w.receiptConfig()) // receipts are authenticated by their signature or path
	mux.Handle("/receipts/{app}/{vendor}", receipts)
	mux.Handle("/receipts/{app}/{vendor}/{secret}", receipts)
	mux.Handle("GET /postrider", w.protected(&status.Page{Redis: w.rdb, Accounts: w.known, Log: w.log, Now: w.clock.Now}))
	// Any other path is 404, with or without the password: a vendor that posts
	// receipts to a wrong path must not mistake the UI's page for success.
	ui := w.protected(w.ui)
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		if !w.ui.Has(r.URL.Path) {
			respond(rw, http.StatusNotFound, "no such path")
			return
		}
		ui.ServeHTTP(rw, r)
	})
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", w.cfg.HTTP.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen on http.listen: %w: another process uses the port: stop it, or set another http.listen", err)
	}
	if err != nil {
		return fmt.Errorf("listen on http.listen: %w", err)
	}
	w.listener = l
	w.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		if err := w.http.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			w.log.Error().Err(err).Msg("the HTTP server stopped")
		}
	}()
	return nil
}

// ready answers 200 if Redis is reachable, the lanes run and the clock is accurate.
func (w *Worker) ready(rw http.ResponseWriter, r *http.Request) {
	if w.draining.Load() {
		respond(rw, http.StatusServiceUnavailable, "draining")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := w.rdb.Ping(ctx).Err(); err != nil {
		respond(rw, http.StatusServiceUnavailable, "redis is not reachable")
		return
	}
	if err := w.clock.Err(); err != nil {
		respond(rw, http.StatusServiceUnavailable, err.Error())
		return
	}
	respond(rw, http.StatusOK, "ready")
}

func respond(rw http.ResponseWriter, status int, text string) {
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.WriteHeader(status)
	_, _ = fmt.Fprintln(rw, text)
}

// protected demands the configured user and password, if there are any.
func (w *Worker) protected(h http.Handler) http.Handler {
	user, password := w.cfg.HTTP.Username, w.cfg.HTTP.Password.Reveal()
	if user == "" && password == "" {
		return h
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		if !secret.Equal(u, user) || !secret.Equal(p, password) {
			rw.Header().Set("WWW-Authenticate", `Basic realm="postrider"`)
			respond(rw, http.StatusUnauthorized, "user and password are required: http.username and http.password of the configuration")
			return
		}
		h.ServeHTTP(rw, r)
	})
}
