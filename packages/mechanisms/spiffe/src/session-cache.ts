import type { X509Certificate } from 'node:crypto';

/** A TLS session to resume, with the leaf that its full handshake proved: a resumed client sees no certificate. */
export interface KeptSession {
  readonly session: Buffer;
  readonly leaf: X509Certificate;
}

/** TLS sessions to resume, newest kept. */
export interface SessionCache {
  /**
   * The newest session. It may be used again: RFC 8446 §C.4 advises once only so that watchers cannot link connections,
   * but in a mesh they see the addresses anyway, and OpenSSL gives no new ticket when it resumes.
   */
  get(key: string): KeptSession | undefined;
  put(key: string, session: KeptSession): void;
  clear(): void;
  readonly size: number;
}

/** A bounded cache: past `maxSessions` the one that was stored first is dropped, and that peer gets a full handshake. */
export function sessionCache(maxSessions: number): SessionCache {
  const sessions = new Map<string, KeptSession>();
  return {
    get: (key) => sessions.get(key),
    put(key, session) {
      if (maxSessions === 0) return;
      sessions.delete(key);
      sessions.set(key, session);
      if (sessions.size > maxSessions)
        for (const oldest of sessions.keys()) return void sessions.delete(oldest);
    },
    clear: () => sessions.clear(),
    get size() {
      return sessions.size;
    },
  };
}
