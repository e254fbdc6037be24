// A program with gRPC's own xDS, as those in JavaScript (programs/proxyless-js): `program server HOST:PORT NAME`, which prints `serving` when
// it has its listener, or `program client TARGET`, which reads a command a line (JSON) and writes an answer a line.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	statuspb "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/xds"
	"google.golang.org/grpc/xds/csds"
)

// Messages are JSON, so that no generated code is needed.
type codec struct{}

func (codec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (codec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }
func (codec) Name() string                       { return "proto" }

type request struct {
	Failures int    `json:"failures,omitempty"`
	Status   string `json:"status,omitempty"`
	At       string `json:"at,omitempty"`
	DelayMs  int    `json:"delayMs,omitempty"`
}

type answer struct {
	Code     string  `json:"code,omitempty"`
	Details  string  `json:"details,omitempty"`
	Server   string  `json:"server,omitempty"`
	Attempts int     `json:"attempts"`
	Caller   string  `json:"caller,omitempty"`
	Ms       float64 `json:"ms,omitempty"`
}

var codeNames = map[string]codes.Code{"": codes.Unavailable, "UNAVAILABLE": codes.Unavailable, "ABORTED": codes.Aborted}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "server" {
		serve(os.Args[2], os.Args[3])
	} else if len(os.Args) == 3 && os.Args[1] == "client" {
		follow(os.Args[2])
	} else {
		fail(fmt.Errorf("usage: program server HOST:PORT NAME | program client TARGET"))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func serve(address, name string) {
	creds, err := xdscreds.NewServerCredentials(xdscreds.ServerOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		fail(err)
	}
	server, err := xds.NewGRPCServer(
		grpc.Creds(creds),
		grpc.ForceServerCodec(codec{}),
		xds.ServingModeCallback(func(_ net.Addr, args xds.ServingModeChangeArgs) {
			if args.Mode == connectivity.ServingModeServing {
				fmt.Println("serving")
			} else {
				fmt.Println("not serving:", args.Err)
			}
		}),
	)
	if err != nil {
		fail(err)
	}
	handle := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var asked request
		if err := decode(&asked); err != nil {
			return nil, err
		}
		attempts := 0
		if md, ok := metadata.FromIncomingContext(ctx); ok && len(md.Get("grpc-previous-rpc-attempts")) > 0 {
			attempts, _ = strconv.Atoi(md.Get("grpc-previous-rpc-attempts")[0])
		}
		time.Sleep(time.Duration(asked.DelayMs) * time.Millisecond)
		if attempts < asked.Failures && (asked.At == "" || asked.At == name) {
			return nil, status.Errorf(codeNames[asked.Status], "%s fails attempt %d", name, attempts)
		}
		return answer{Server: name, Attempts: attempts, Caller: callerOf(ctx)}, nil
	}
	// An interceptor of the server itself would not be asked by handlers that ignore it, and its filters are one.
	method := func(name string) grpc.MethodDesc {
		return grpc.MethodDesc{MethodName: name, Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			call := func(ctx context.Context, _ any) (any, error) { return handle(srv, ctx, decode, nil) }
			if interceptor == nil {
				return call(ctx, nil)
			}
			return interceptor(ctx, nil, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/tulle.interop.Echo/" + name}, call)
		}}
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "tulle.interop.Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{method("Say"), method("Secret")},
	}, struct{}{})
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fail(err)
	}
	fail(server.Serve(listener))
}

func callerOf(ctx context.Context) string {
	if from, ok := peer.FromContext(ctx); ok {
		if info, ok := from.AuthInfo.(credentials.TLSInfo); ok && len(info.State.PeerCertificates) > 0 {
			for _, uri := range info.State.PeerCertificates[0].URIs {
				return "URI:" + uri.String()
			}
		}
	}
	return "nobody"
}

type command struct {
	ID        int               `json:"id"`
	Command   string            `json:"command"`
	Times     int               `json:"times"`
	Method    string            `json:"method"`
	Request   request           `json:"request"`
	Headers   map[string]string `json:"headers"`
	TimeoutMs int               `json:"timeoutMs"`
	EveryMs   int               `json:"everyMs"`
	StaggerMs int               `json:"staggerMs"`
}

type counts struct {
	Calls      int            `json:"calls"`
	Failed     []string       `json:"failed"`
	Servers    map[string]int `json:"servers"`
	LastServer string         `json:"lastServer"`
}

type client struct {
	conn  *grpc.ClientConn
	mu    sync.Mutex
	soak  counts
	over  bool
	ended chan struct{}
}

func follow(target string) {
	creds, err := xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		fail(err)
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds), grpc.WithDefaultCallOptions(grpc.ForceCodec(codec{})))
	if err != nil {
		fail(err)
	}
	c := &client{conn: conn}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		one := command{Times: 1, Method: "say", TimeoutMs: 10_000}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			fail(err)
		}
		answered, err := json.Marshal(struct {
			ID     int `json:"id"`
			Answer any `json:"answer"`
		}{one.ID, c.do(one)})
		if err != nil {
			fail(err)
		}
		fmt.Println(string(answered))
	}
}

func (c *client) do(one command) any {
	switch one.Command {
	case "call":
		answers := make([]answer, one.Times)
		for i := range answers {
			answers[i] = c.call(one)
		}
		return answers
	case "together":
		answers := make([]answer, one.Times)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				time.Sleep(time.Duration(i*one.StaggerMs) * time.Millisecond)
				answers[i] = c.call(one)
			})
		}
		all.Wait()
		return answers
	case "soak":
		c.soak = counts{Failed: []string{}, Servers: map[string]int{}}
		c.over = false
		c.ended = make(chan struct{})
		go c.run(one.EveryMs)
		return struct{}{}
	case "counts", "stop":
		if one.Command == "stop" {
			c.mu.Lock()
			c.over = true
			c.mu.Unlock()
			<-c.ended
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.soak
	case "csds":
		return resources()
	}
	return answer{Code: "UNKNOWN", Details: "there is no command " + one.Command}
}

func (c *client) call(one command) answer {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(one.TimeoutMs)*time.Millisecond)
	defer cancel()
	for name, value := range one.Headers {
		ctx = metadata.AppendToOutgoingContext(ctx, name, value)
	}
	path := "/tulle.interop.Echo/" + strings.ToUpper(one.Method[:1]) + one.Method[1:]
	var got answer
	started := time.Now()
	err := c.conn.Invoke(ctx, path, one.Request, &got)
	got.Code = "OK"
	if err != nil {
		got = answer{Code: screaming(status.Code(err)), Details: status.Convert(err).Message()}
	}
	got.Ms = float64(time.Since(started).Microseconds()) / 1000
	return got
}

// As gRPC's other languages name statuses: PERMISSION_DENIED.
func screaming(code codes.Code) string {
	var name strings.Builder
	for i, letter := range code.String() {
		if i > 0 && letter >= 'A' && letter <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteString(strings.ToUpper(string(letter)))
	}
	return name.String()
}

func (c *client) run(everyMs int) {
	defer close(c.ended)
	for {
		got := c.call(command{Method: "say", TimeoutMs: 10_000})
		c.mu.Lock()
		c.soak.Calls++
		if got.Code == "OK" {
			c.soak.Servers[got.Server]++
		} else {
			c.soak.Failed = append(c.soak.Failed, got.Code+": "+got.Details)
		}
		c.soak.LastServer = got.Server
		over := c.over
		c.mu.Unlock()
		if over {
			return
		}
		time.Sleep(time.Duration(everyMs) * time.Millisecond)
	}
}

type held struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Status string `json:"status"`
}

// What the program's own ClientStatusDiscoveryService says of its resources.
func resources() []held {
	server, err := csds.NewClientStatusDiscoveryServer()
	if err != nil {
		fail(err)
	}
	defer server.Close()
	response, err := server.FetchClientStatus(context.Background(), &statuspb.ClientStatusRequest{})
	if err != nil {
		fail(err)
	}
	all := []held{}
	for _, config := range response.Config {
		for _, one := range config.GenericXdsConfigs {
			kind := one.TypeUrl[strings.LastIndex(one.TypeUrl, ".")+1:]
			all = append(all, held{Type: kind, Name: one.Name, Status: one.ClientStatus.String()})
		}
	}
	return all
}
