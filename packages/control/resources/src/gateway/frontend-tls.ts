import type { Gateway, GatewayListener } from '../kinds/gateway.ts';
import type { FrontendValidation } from '../kinds/gateway-tls.ts';

/** What a listener asks of the certificates of its callers; `undefined`: it asks for none. */
export function frontendValidation(
  { spec }: Gateway,
  { protocol, port }: GatewayListener,
): FrontendValidation | undefined {
  const { frontend } = spec.tls ?? {};
  if (protocol !== 'HTTPS' || frontend === undefined) return undefined;
  const own = (frontend.perPort ?? []).find((one) => one.port === port);
  return (own === undefined ? frontend.default : own.tls).validation;
}
