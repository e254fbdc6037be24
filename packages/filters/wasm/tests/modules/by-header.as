// Written against @gcoredev/proxy-wasm-sdk-as (ABI 0.2.1). What it does with a request is what the field x-do says.
export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  BufferTypeValues, Context, Counter, FilterDataStatusValues, FilterHeadersStatusValues, FilterTrailersStatusValues, get_buffer_bytes, get_property,
  get_shared_data, Gauge, GrpcStatusValues, Headers, Histogram, log, LogLevelValues, makeHeaderPair, registerRootContext, RootContext,
  send_local_response, set_buffer_bytes, set_property, set_shared_data, set_tick_period_milliseconds, stream_context, continue_request, BaseContext,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";

const NONE = new ArrayBuffer(0);

class Root extends RootContext {
  constructor(id: u32) { super(id); }
  onConfigure(size: u32): bool {
    super.onConfigure(size);
    if (this.getConfiguration() == "refuse") return false;
    if (this.getConfiguration() == "tick") set_tick_period_milliseconds(100);
    log(LogLevelValues.info, "configured " + this.getConfiguration());
    return true;
  }
  onTick(): void {
    const seen = get_shared_data("ticks");
    const count = seen.value === null ? 0 : I32.parseInt(String.UTF8.decode(seen.value!));
    set_shared_data("ticks", String.UTF8.encode((count + 1).toString()));
  }
  createContext(id: u32): Context { return new Stream(id, this); }
}

let requests: Counter | null = null;

class Stream extends Context {
  what: string = "";
  constructor(id: u32, root: Root) { super(id, root); }

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const head = stream_context.headers.request;
    this.what = head.get("x-do");
    if (this.what == "deny") {
      send_local_response(403, "not_today", String.UTF8.encode("go away"), [makeHeaderPair("x-why", "mallory")], GrpcStatusValues.PermissionDenied);
      return FilterHeadersStatusValues.StopIteration;
    }
    if (this.what == "trap") unreachable();
    if (this.what == "grow") memory.grow(100);
    if (this.what == "wait") return FilterHeadersStatusValues.StopIteration;
    if (this.what == "call") {
      const headers: Headers = [makeHeaderPair(":method", "POST"), makeHeaderPair(":path", "/check?a=b"), makeHeaderPair(":authority", "auth.example"), makeHeaderPair("x-from", "guest")];
      this.root_context.httpCall("other", headers, String.UTF8.encode("who?"), [], 500, this, (origin: BaseContext, n: u32, size: usize, trailers: u32): void => {
        const status = n == 0 ? "none" : stream_context.headers.http_callback.get(":status");
        if (status == "200") {
          stream_context.headers.request.add("x-auth", String.UTF8.decode(get_buffer_bytes(BufferTypeValues.HttpCallResponseBody, 0, size as u32)));
          continue_request();
        } else send_local_response(401, "auth_" + status, NONE, [], GrpcStatusValues.Unauthenticated);
      });
      return FilterHeadersStatusValues.StopIteration;
    }
    if (this.what == "count") {
      if (requests === null) requests = new Counter("requests.seen");
      requests!.increment(2);
      const gauge = new Gauge("level");
      gauge.record(gauge.metric_id, 7);
      const histogram = new Histogram("took");
      histogram.record(histogram.metric_id, 40);
      histogram.record(histogram.metric_id, 2);
    }
    if (this.what == "property") {
      const path = head.get("x-property");
      head.add("x-value", String.UTF8.decode(get_property(path.replace("/", "\0"))));
    }
    if (this.what == "ticks") {
      const seen = get_shared_data("ticks");
      head.add("x-ticks", seen.value === null ? "none" : String.UTF8.decode(seen.value!));
    }
    if (this.what == "move") {
      head.replace(":path", "/other?x=1");
      head.replace(":authority", "other.example");
      head.remove("x-gone");
    }
    head.add("x-wasm", "seen " + count.toString() + (end ? " end" : ""));
    return FilterHeadersStatusValues.Continue;
  }

  onRequestBody(size: usize, end: bool): FilterDataStatusValues {
    if (this.what == "whole" && !end) return FilterDataStatusValues.StopIterationAndBuffer;
    if (this.what == "whole" || this.what == "pieces") {
      const text = String.UTF8.decode(get_buffer_bytes(BufferTypeValues.HttpRequestBody, 0, size as u32));
      set_buffer_bytes(BufferTypeValues.HttpRequestBody, 0, size as u32, String.UTF8.encode("[" + text.toUpperCase() + "]"));
    }
    if (this.what == "append" && end) set_buffer_bytes(BufferTypeValues.HttpRequestBody, size as u32, 0, String.UTF8.encode(" and more"));
    if (this.what == "late" && end) {
      send_local_response(422, "bad_body", String.UTF8.encode("no"), [], GrpcStatusValues.InvalidArgument);
      return FilterDataStatusValues.StopIterationNoBuffer;
    }
    return FilterDataStatusValues.Continue;
  }

  onRequestTrailers(count: u32): FilterTrailersStatusValues {
    stream_context.trailers.request.add("x-more", count.toString());
    return FilterTrailersStatusValues.Continue;
  }

  onResponseHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    stream_context.headers.response.replace("x-wasm-response", this.what == "" ? "yes" : this.what);
    if (this.what == "status") stream_context.headers.response.replace(":status", "418");
    if (this.what == "hide") {
      send_local_response(502, "hidden", String.UTF8.encode("hidden"), [], GrpcStatusValues.Unavailable);
      return FilterHeadersStatusValues.StopIteration;
    }
    return FilterHeadersStatusValues.Continue;
  }

  onResponseBody(size: usize, end: bool): FilterDataStatusValues {
    if (this.what == "whole" && !end) return FilterDataStatusValues.StopIterationAndBuffer;
    if (this.what == "whole") {
      const text = String.UTF8.decode(get_buffer_bytes(BufferTypeValues.HttpResponseBody, 0, size as u32));
      set_buffer_bytes(BufferTypeValues.HttpResponseBody, 0, size as u32, String.UTF8.encode("<" + text + ">"));
    }
    return FilterDataStatusValues.Continue;
  }

  onLog(): void {
    log(LogLevelValues.info, "ended " + stream_context.headers.request.get(":path"));
  }
}

registerRootContext((id: u32): RootContext => new Root(id), "by-header");
