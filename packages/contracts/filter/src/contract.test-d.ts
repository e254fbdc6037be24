// Type tests: compiled by the root tsc, never run. Each @ts-expect-error is a promise of the contract.
import {
  CONTINUE,
  DELIVER,
  STOP,
  defineHttpFilter,
  defineSlot,
  type AnyHttpFilter,
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
void boolean;
void nothing;
void waiting;

// @ts-expect-error fields are an interface, not an array
stream.request.headers[0];
// Trailers are read-only.
const trailersCanBeSet: 'set' extends keyof HttpStream['request']['trailers'] ? true : false = false;
void trailersCanBeSet;
// @ts-expect-error the matched route is read-only
stream.route.name = 'other';

const user = defineSlot<{ readonly id: number }>('acme.user');
const id: number | undefined = stream.get(user)?.id;
void id;
// @ts-expect-error slots are typed
stream.set(user, 'nobody');
