import type { JsonSchema } from '@tulle/model';
import { integer, list, object, oneOf, text } from './schema-parts.ts';
import type { HTTPBackendRef } from './http-route.ts';

/** Asks a service about each request of a rule (Gateway API HTTPExternalAuthFilter, GEP-1494). */
export interface HTTPExternalAuthFilter {
  /** `GRPC`: `envoy.service.auth.v3.Authorization`. `HTTP`: 200 allows, everything else refuses. */
  readonly protocol: 'GRPC' | 'HTTP';
  readonly backendRef: Omit<HTTPBackendRef, 'weight' | 'filters'>;
  readonly grpc?: {
    /** Headers of the request that the service is told. Absent or empty: all. */
    readonly allowedHeaders?: readonly string[];
  };
  readonly http?: {
    /** Put before the path of the request. */
    readonly path?: string;
    /** Headers that the service is told beside Host, Authorization and the length of what is sent along. */
    readonly allowedHeaders?: readonly string[];
    /** Headers of an allowing answer that the backend gets. Absent or empty: all. */
    readonly allowedResponseHeaders?: readonly string[];
  };
  /** Bytes of the body that are sent along; a larger one is refused. Absent or 0: none. */
  readonly forwardBody?: { readonly maxSize?: number };
}

const names = (description: string): JsonSchema =>
  list(
    description,
    text('Field name, in any case; whole, without *.', {
      minLength: 1,
      maxLength: 256,
      pattern: "^[!#$%&'+.^_`|~0-9A-Za-z-]+$",
    }),
    0,
    64,
  );

/** @param backendFields what names a Service or a subset of one */
export function externalAuthFilter(backendFields: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return object(
    'Asks a service about each request of the rule; what it does not allow, or gives no answer to, is refused.',
    {
      protocol: oneOf(
        'What the service speaks. GRPC: envoy.service.auth.v3.Authorization. HTTP: 200 allows.',
        ['GRPC', 'HTTP'],
      ),
      backendRef: object('The service: a Service, or a subset of one.', backendFields, ['name']),
      grpc: object('Of protocol GRPC.', {
        allowedHeaders: names('Headers that the service is told. Empty: all.'),
      }),
      http: object('Of protocol HTTP.', {
        path: text('Put before the path of the request.', {
          maxLength: 1024,
          pattern: "^/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$",
        }),
        allowedHeaders: names(
          'Headers that the service is told beside Host, Authorization and Content-Length.',
        ),
        allowedResponseHeaders: names(
          'Headers of an allowing answer that the backend gets. Empty: all, but for those of the connection, of the caller’s identity and of the answer’s own content (content-*).',
        ),
      }),
      forwardBody: object('The body that is sent along. Default: none.', {
        maxSize: integer('Largest body, bytes; a larger one is refused with 413. 0: none.', 0, 65_535),
      }),
    },
    ['protocol', 'backendRef'],
  );
}
