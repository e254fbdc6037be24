const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);

/** Whether `host[:port]` names this machine. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.has(
    host
      .replace(/:\d+$/, '')
      .replace(/^\[|\]$/g, '')
      .toLowerCase(),
  );
}

/**
 * Whether a page of another site in a browser of this machine sends the request: that may send a POST without asking,
 * and cannot hide that it does (Fetch Metadata, and `Origin` where that is not known).
 */
export function isFromForeignPage(headers: {
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
}): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const { origin } = headers;
  return origin !== undefined && !isLoopbackHost(origin.replace(/^https?:\/\//, ''));
}
