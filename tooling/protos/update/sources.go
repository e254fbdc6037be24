//go:build sources

package main

// The modules that are read as text. Imported so that go.mod keeps them.
import (
	_ "cel.dev/expr"
	_ "github.com/cncf/xds/go/xds/core/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	_ "go.opentelemetry.io/proto/otlp/common/v1"
	_ "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	_ "google.golang.org/genproto/googleapis/rpc/status"
)
