// Type tests: compiled by the root tsc, never run. Each @ts-expect-error is a promise of the contract.
import {
  CONTINUE,
  DELIVER,
  STOP,
  defineHttpFilter,
  defineSlot,
  defineConnFilter,
  type AnyConnFilter,
  type AnyHttpFilter,
  type Connection,
  type ConnHooks,
  type ConfigSchema,
  type HttpFilterUse,
  type HttpHooks,
  type HttpStream,
  type Verdict,
} from './index.ts';

declare const schema: ConfigSchema<{ readonly limit: number }>;
declare const stream: HttpStream;

const limited = defineHttpFilter({
  apiVersion: 1,
  id: 'acme-limit',
  config: schema,
  state: {
    create: () => ({ seen: 0 }),
    reset: (state) => {
      state.seen = 0;
    },
  },
  create: (host, config) => {
    const counter = host.counter('refused', 'Refused requests.');
    const limit: number = config.limit;
    return {
      requestHeaders(s, routeConfig, state) {
        state.seen += routeConfig.limit;
        if (state.seen > limit) {
          counter.add();
          return s.reply(429, 'ACME_LIMIT_REACHED');
        }
        return CONTINUE;
      },
      attemptEnd: () => DELIVER,
    };
  },
});

const use: HttpFilterUse = limited({ limit: 3 });
const registry: readonly AnyHttpFilter[] = [limited];
void use;
void registry;

// @ts-expect-error configurations are typed to the last option
limited({ limit: '3' });
// @ts-expect-error unknown options are refused
limited({ limit: 3, burst: 4 });

const verdicts: Verdict[] = [CONTINUE, STOP, stream.reply(403, 'TULLE_AUTHZ_DENIED')];
void verdicts;

// @ts-expect-error a hook decides by verdict, never by a bare boolean
const boolean: HttpHooks<object> = { requestHeaders: () => true };
// @ts-expect-error forgetting the verdict is an error
const nothing: HttpHooks<object> = { requestHeaders: () => undefined };
// @ts-expect-error the retry loop waits for nobody
const waiting: HttpHooks<object> = { attemptEnd: async () => DELIVER };
// @ts-expect-error nobody waits for the end of a stream: it is over
const waitingAtTheEnd: HttpHooks<object> = { complete: async () => {} };
const atTheEnd: HttpHooks<object> = { complete() {} };
void waitingAtTheEnd;
void atTheEnd;
// @ts-expect-error nor for the end of a connection
const waitingForClose: ConnHooks<object> = { close: async () => {} };
// @ts-expect-error a connection's hook decides by verdict as well
const openDoor: ConnHooks<object> = { connect: () => true };
const careful: ConnHooks<object> = {
  connect: (connection) =>
    connection.remotePort === 0 ? connection.close('TULLE_AUTHZ_DENIED', 'no port') : CONTINUE,
  handshake: async () => CONTINUE,
  read: (_connection, _config, _state, bytes, end) => (end && bytes.length === 0 ? STOP : CONTINUE),
  close() {},
};
void waitingForClose;
void openDoor;
void careful;
const gate = defineConnFilter({
  apiVersion: 1,
  id: 'acme-gate',
  config: schema,
  state: { create: () => ({ bytes: 0 }), reset: (state) => void (state.bytes = 0) },
  create: () => ({
    read(_connection, config, state, bytes) {
      state.bytes += bytes.length;
      return state.bytes > config.limit ? STOP : CONTINUE;
    },
  }),
});
const gates: readonly AnyConnFilter[] = [gate];
void gates;
void gate({ limit: 3 });
// @ts-expect-error configurations of connection filters are typed as well
gate({ limit: '3' });
declare const connection: Connection;
// @ts-expect-error who called is read-only
connection.peerIdentity = 'spiffe://mesh/ns/a/sa/admin';

void boolean;
void nothing;
void waiting;

// @ts-expect-error fields are an interface, not an array
stream.request.headers[0];
// @ts-expect-error the matched route is read-only
stream.route.name = 'other';

const user = defineSlot<{ readonly id: number }>('acme.user');
const id: number | undefined = stream.get(user)?.id;
void id;
// @ts-expect-error slots are typed
stream.set(user, 'nobody');
