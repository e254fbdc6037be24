// Checks Tulle's SVIDs and speaks mutual TLS with Tulle by go-spiffe, the reference library of SPIFFE.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

const usage = `program verify|get|serve TRUST_DOMAIN CHAIN KEY ROOTS [PEER_ID [URL]]
program workload TRUST_DOMAIN SOCKET`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 3 && args[0] == "workload" {
		return workload(args[1], args[2])
	}
	if len(args) < 5 {
		return fmt.Errorf("usage: %s", usage)
	}
	domain, err := spiffeid.TrustDomainFromString(args[1])
	if err != nil {
		return err
	}
	svid, err := x509svid.Load(args[2], args[3])
	if err != nil {
		return err
	}
	bundle, err := x509bundle.Load(domain, args[4])
	if err != nil {
		return err
	}
	if args[0] == "verify" {
		id, _, err := x509svid.Verify(svid.Certificates, bundle)
		if err != nil {
			return err
		}
		fmt.Println(id)
		return nil
	}
	peer, err := spiffeid.FromString(args[5])
	if err != nil {
		return err
	}
	if args[0] == "serve" {
		return serve(svid, bundle, peer)
	}
	return get(svid, bundle, peer, args[6])
}

// Follows the Workload API: prints each SVID that comes, once it verifies by the bundle that came with it.
func workload(name string, socket string) error {
	domain, err := spiffeid.TrustDomainFromString(name)
	if err != nil {
		return err
	}
	return workloadapi.WatchX509Context(context.Background(), watcher{domain}, workloadapi.WithAddr("unix://"+socket))
}

type watcher struct{ domain spiffeid.TrustDomain }

func (w watcher) OnX509ContextUpdate(update *workloadapi.X509Context) {
	svid := update.DefaultSVID()
	id, _, err := x509svid.Verify(svid.Certificates, update.Bundles)
	if err != nil {
		fmt.Println("does not verify:", err)
		return
	}
	roots, _ := update.Bundles.Get(w.domain)
	fmt.Printf("%s %x %d\n", id, svid.Certificates[0].SerialNumber, len(roots.X509Authorities()))
}

func (watcher) OnX509ContextWatchError(err error) {
	fmt.Println("cannot be watched:", err)
}

func get(svid *x509svid.SVID, bundle *x509bundle.Bundle, peer spiffeid.ID, url string) error {
	config := tlsconfig.MTLSClientConfig(svid, bundle, tlsconfig.AuthorizeID(peer))
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 10 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	fmt.Printf("%d %s", response.StatusCode, body)
	return nil
}

func serve(svid *x509svid.SVID, bundle *x509bundle.Bundle, peer spiffeid.ID) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		id, err := x509svid.IDFromCert(r.TLS.PeerCertificates[0])
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "go says hello to %s", id)
	}
	server := http.Server{
		Handler:           http.HandlerFunc(handler),
		TLSConfig:         tlsconfig.MTLSServerConfig(svid, bundle, tlsconfig.AuthorizeID(peer)),
		ReadHeaderTimeout: 10 * time.Second,
	}
	fmt.Printf("serving on %s\n", listener.Addr())
	return server.ServeTLS(listener, "", "")
}
