const block = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;

/** The DER of each CERTIFICATE block, in order. Text around the blocks is ignored, as in every PEM reader. */
export function certificatesOfPem(pem: string): Buffer[] {
  return [...pem.matchAll(block)].map((match) => Buffer.from(match[1] ?? '', 'base64'));
}

/** PEM of one DER structure. `label` is what stands after BEGIN: `CERTIFICATE`, `CERTIFICATE REQUEST`, `PRIVATE KEY`. */
export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** DER of the first PEM block with this label, or undefined. */
export function derOfPem(label: string, pem: string): Buffer | undefined {
  const begin = `-----BEGIN ${label}-----`;
  const start = pem.indexOf(begin);
  const end = pem.indexOf(`-----END ${label}-----`, start);
  if (start < 0 || end < 0) return undefined;
  const body = pem.slice(start + begin.length, end).replace(/\s+/g, '');
  return /^[A-Za-z0-9+/]+={0,2}$/.test(body) ? Buffer.from(body, 'base64') : undefined;
}
