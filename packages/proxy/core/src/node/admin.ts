import type { Address } from '@tulle/model';
import type { ProxyRuntime } from '../proxy.ts';
import type { AdminAddress } from '../options.ts';

export interface AdminServer {
  readonly address: Address;
  close(): Promise<void>;
}

export function startAdmin(_proxy: ProxyRuntime, _at: AdminAddress): Promise<AdminServer> {
  return Promise.reject(new Error('no admin'));
}
