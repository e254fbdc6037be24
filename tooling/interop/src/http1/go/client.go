package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"time"
)

var transport = &http.Transport{ExpectContinueTimeout: 20 * time.Second, DisableCompression: true}
var httpClient = &http.Client{Transport: transport, Timeout: 20 * time.Second}

// client plays one case against the proxy at url; an error says what was wrong.
func client(name, url string) error {
	play := map[string]func(string) error{
		"keep-alive": keepAlive, "chunked-request": chunkedRequest, "chunked-response": chunkedResponse,
		"request-trailers": requestTrailers, "response-trailers": responseTrailers, "continue": expectContinue,
		"early-hints": earlyHints, "large": large, "upgrade": upgraded, "head": head,
	}[name]
	if play == nil {
		return fmt.Errorf("there is no case %q", name)
	}
	return play(url)
}

func echoed(request *http.Request) (seen, error) {
	var what seen
	response, err := httpClient.Do(request)
	if err != nil {
		return what, err
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		return what, fmt.Errorf("status %s", response.Status)
	}
	err = json.NewDecoder(response.Body).Decode(&what)
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
	}
	return what, err
}

func keepAlive(url string) error {
	reused := 0
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if info.Reused {
			reused++
		}
	}}
	peers := map[string]bool{}
	for i := 0; i < 10; i++ {
		request, _ := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), "GET", url+"/echo", nil)
		what, err := echoed(request)
		if err != nil {
			return err
		}
		peers[what.Peer] = true
	}
	if reused != 9 {
		return fmt.Errorf("%d of 9 connections reused by the proxy's caller", reused)
	}
	if len(peers) != 1 {
		return fmt.Errorf("the origin saw %d connections, not one", len(peers))
	}
	return nil
}

func chunkedRequest(url string) error {
	request, _ := http.NewRequest("PUT", url+"/echo?x=1", io.MultiReader(strings.NewReader("first "), strings.NewReader("second")))
	what, err := echoed(request)
	if err != nil {
		return err
	}
	if what.Length != -1 || what.Bytes != 12 || what.Method != "PUT" || what.Target != "/echo?x=1" {
		return fmt.Errorf("the origin saw %+v", what)
	}
	return nil
}

func chunkedResponse(url string) error {
	response, err := httpClient.Get(url + "/chunks")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	want := "piece 0\npiece 1\npiece 2\npiece 3\npiece 4\n"
	if string(body) != want || len(response.TransferEncoding) != 1 {
		return fmt.Errorf("%q with transfer-encoding %v", body, response.TransferEncoding)
	}
	return nil
}

func requestTrailers(url string) error {
	request, _ := http.NewRequest("POST", url+"/echo", io.MultiReader(strings.NewReader("body")))
	request.Trailer = http.Header{"X-Checksum": {"of the request"}}
	what, err := echoed(request)
	if err != nil {
		return err
	}
	if got := what.Trailers["X-Checksum"]; len(got) != 1 || got[0] != "of the request" {
		return fmt.Errorf("the origin saw trailers %v", what.Trailers)
	}
	return nil
}

func responseTrailers(url string) error {
	response, err := httpClient.Get(url + "/trailers")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if got := response.Trailer.Get("x-checksum"); got != "abc123" {
		return fmt.Errorf("trailers %v", response.Trailer)
	}
	return nil
}

func expectContinue(url string) error {
	got100 := make(chan struct{}, 1)
	trace := &httptrace.ClientTrace{Got100Continue: func() { got100 <- struct{}{} }}
	body := bytes.Repeat([]byte("x"), 100_000)
	request, _ := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), "POST", url+"/echo", bytes.NewReader(body))
	request.Header.Set("expect", "100-continue")
	what, err := echoed(request)
	if err != nil {
		return err
	}
	select {
	case <-got100:
	default:
		return fmt.Errorf("the body was sent without a 100")
	}
	if what.Bytes != 100_000 || what.Length != 100_000 {
		return fmt.Errorf("the origin saw %+v", what)
	}
	return nil
}

func earlyHints(url string) error {
	var links []string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		links = append(links, fmt.Sprintf("%d %s", code, header.Get("link")))
		return nil
	}}
	request, _ := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), "GET", url+"/hints", nil)
	response, err := httpClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if len(links) != 1 || links[0] != "103 </style.css>; rel=preload" || string(body) != "after hints\n" {
		return fmt.Errorf("interim %v, then %q", links, body)
	}
	return nil
}

func large(url string) error {
	body := make([]byte, 8<<20)
	for i := range body {
		body[i] = byte(i * 31 >> 3)
	}
	request, _ := http.NewRequest("POST", url+"/echo", bytes.NewReader(body))
	what, err := echoed(request)
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(body)); what.Hash != want {
		return fmt.Errorf("the origin got %d bytes with hash %s, not %s", what.Bytes, what.Hash, want)
	}
	return nil
}

func head(url string) error {
	response, err := httpClient.Head(url + "/echo")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != 200 || response.Header.Get("content-type") != "application/json" {
		return fmt.Errorf("%s with %v", response.Status, response.Header)
	}
	return nil
}

func upgraded(url string) error {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(conn, "GET /upgrade HTTP/1.1\r\nhost: origin\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != 101 || response.Header.Get("upgrade") != "echo" {
		return fmt.Errorf("%s with %v", response.Status, response.Header)
	}
	for _, line := range []string{"hello\n", strings.Repeat("z", 100_000) + "\n"} {
		go fmt.Fprint(conn, line)
		back, err := reader.ReadString('\n')
		if err != nil {
			return err
		}
		if back != line {
			return fmt.Errorf("%d bytes came back of %d", len(back), len(line))
		}
	}
	return nil
}
