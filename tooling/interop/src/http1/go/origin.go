package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// What /echo answers: how the request looked to the origin.
type seen struct {
	Method   string              `json:"method"`
	Target   string              `json:"target"`
	Length   int64               `json:"length"`
	Bytes    int64               `json:"bytes"`
	Hash     string              `json:"hash"`
	Trailers map[string][]string `json:"trailers"`
	Peer     string              `json:"peer"`
}

func origin() error {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/chunks", chunks)
	mux.HandleFunc("/trailers", trailers)
	mux.HandleFunc("/hints", hints)
	mux.HandleFunc("/upgrade", upgrade)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("origin on %s\n", listener.Addr())
	server := http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}

func echo(w http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	n, err := io.Copy(hash, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("content-type", "application/json")
	_ = json.NewEncoder(w).Encode(seen{
		Method: r.Method, Target: r.RequestURI, Length: r.ContentLength, Bytes: n,
		Hash: fmt.Sprintf("%x", hash.Sum(nil)), Trailers: r.Trailer, Peer: r.RemoteAddr,
	})
}

func chunks(w http.ResponseWriter, _ *http.Request) {
	flusher := w.(http.Flusher)
	for i := 0; i < 5; i++ {
		fmt.Fprintf(w, "piece %d\n", i)
		flusher.Flush()
	}
}

func trailers(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("trailer", "x-checksum")
	fmt.Fprint(w, "body before trailers\n")
	w.(http.Flusher).Flush()
	w.Header().Set("x-checksum", "abc123")
}

func hints(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("link", "</style.css>; rel=preload")
	w.WriteHeader(http.StatusEarlyHints)
	fmt.Fprint(w, "after hints\n")
}

func upgrade(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("upgrade") != "echo" {
		http.Error(w, "upgrade: echo is wanted", http.StatusUpgradeRequired)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
	_, _ = io.Copy(conn, buffered)
}
