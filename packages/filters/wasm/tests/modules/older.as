// Written against @solo-io/proxy-runtime (ABI 0.2.0).
export * from "@solo-io/proxy-runtime/proxy";
import { Context, FilterHeadersStatusValues, registerRootContext, RootContext, stream_context } from "@solo-io/proxy-runtime";

class Root extends RootContext {
  createContext(id: u32): Context { return new Stream(id, this); }
}
class Stream extends Context {
  constructor(id: u32, root: Root) { super(id, root); }
  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    stream_context.headers.request.add("x-older", this.root_context.getConfiguration());
    return FilterHeadersStatusValues.Continue;
  }
  onResponseHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    stream_context.headers.response.replace("x-older-response", "yes");
    return FilterHeadersStatusValues.Continue;
  }
}
registerRootContext((id: u32): RootContext => new Root(id), "older");
