import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';

/** Which connections of a grpc-js server have a call open; the server is made with its interceptor. */
export interface ConnectionCalls {
  readonly interceptor: ServerInterceptor;
  /**
   * @param peer `address:port` of the connection's other end
   * @param changed told how many calls are open now, whenever that changes
   * @returns stops it
   */
  watch(peer: string, changed: (open: number) => void): () => void;
}

/** For `new Server({ interceptors: [calls.interceptor] })` and `MeshGrpcServerOptions.calls`. */
export function connectionCalls(): ConnectionCalls {
  const watched = new Map<string, { open: number; readonly changed: (open: number) => void }>();
  return {
    interceptor(_method, call) {
      const connection = watched.get(call.getPeer());
      if (connection === undefined) return new ServerInterceptingCall(call);
      let over = false;
      const count = (by: 1 | -1): void => {
        connection.open += by;
        connection.changed(connection.open);
      };
      const end = (): void => {
        if (!over) count(-1);
        over = true;
      };
      count(1);
      return new ServerInterceptingCall(call, {
        start: (next) => next({ onCancel: end }),
        sendStatus(status, next) {
          end();
          next(status);
        },
      });
    },
    watch(peer, changed) {
      const connection = { open: 0, changed };
      watched.set(peer, connection);
      return () => {
        if (watched.get(peer) === connection) watched.delete(peer);
      };
    },
  };
}
