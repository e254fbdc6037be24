module tulle.dev/interop/http1

go 1.24
