import { status } from '@grpc/grpc-js';
import type { WireResource } from '../encode/wire-resource.ts';
import { StreamFault } from './stream-fault.ts';

/** A request for secrets, in the words of the delta protocol. */
export interface SecretRequest {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Of the response that this answers; `''` for none. */
  readonly nonce: string;
  /** Set when the response is refused. */
  readonly error?: { readonly message: string };
}

/** A response with secrets. */
export interface SecretResponse {
  readonly nonce: string;
  readonly resources: readonly WireResource[];
  /** Asked for, and not to be had here. */
  readonly removed: readonly string[];
}

/** What a stream of secrets works with. */
export interface SecretStreamOptions {
  /** The secrets that there are now, by name. */
  current(): ReadonlyMap<string, WireResource>;
  send(response: SecretResponse): void;
  /** A secret that is asked for and that nobody gets here. */
  unknown(name: string): void;
  answered(ok: boolean, reason: string | undefined): void;
  readonly maxNames: number;
  /** Whether a response can say that there is no such secret. */
  readonly canRemove: boolean;
}

/** One client's secrets as a state machine. Secrets depend on nothing else, so they go out as they come. */
export interface SecretStream {
  /** @throws StreamFault when a bound is broken */
  request(request: SecretRequest): void;
  /** The secrets changed. */
  changed(): void;
  /** Whether the client has answered for everything that it follows, as it is now; refusals are answers. */
  settled(): boolean;
}

export function createSecretStream(options: SecretStreamOptions): SecretStream {
  const names = new Set<string>();
  /** Version by name that the client has, refused, or is being sent; `''`: it was told that there is none. */
  const told = new Map<string, string>();
  let nonces = 0;
  let unanswered: string | undefined;

  function pump(): void {
    if (unanswered !== undefined) return; // what changes meanwhile is coalesced
    const secrets = options.current();
    const resources: WireResource[] = [];
    const removed: string[] = [];
    for (const name of names) {
      const secret = secrets.get(name);
      const version = secret?.version ?? '';
      if (told.get(name) === version) continue;
      told.set(name, version);
      if (secret) resources.push(secret);
      else {
        removed.push(name);
        options.unknown(name);
      }
    }
    if (resources.length + (options.canRemove ? removed.length : 0) === 0) return;
    unanswered = `s${++nonces}`;
    options.send({ nonce: unanswered, resources, removed });
  }

  return {
    request({ subscribe, unsubscribe, nonce, error }) {
      if (nonce !== '' && nonce === unanswered) {
        unanswered = undefined;
        options.answered(error === undefined, error?.message);
      }
      for (const name of subscribe) {
        if (names.has(name)) told.delete(name); // asked for again: sent again
        names.add(name);
      }
      for (const name of unsubscribe) {
        names.delete(name);
        told.delete(name);
      }
      if (names.size > options.maxNames) {
        throw new StreamFault(
          status.RESOURCE_EXHAUSTED,
          `The client subscribes to ${names.size} secrets; at most maxSubscriptions = ${options.maxNames} are allowed.`,
        );
      }
      pump();
    },
    changed: pump,
    settled() {
      const secrets = options.current();
      return (
        unanswered === undefined &&
        [...names].every((name) => told.get(name) === (secrets.get(name)?.version ?? ''))
      );
    },
  };
}
