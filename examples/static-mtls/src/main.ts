// node src/main.ts issue DIR | server DIR PORT ORIGIN | client DIR PORT SERVER
import { parseArgs } from 'node:util';
import type { Address } from '@tulle/model';
import { identityOf, issueCertificates } from './certificates.ts';
import { clientSide } from './client-side.ts';
import { serverSide } from './server-side.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'poll-ms': { type: 'string', default: '10000' }, host: { type: 'string' } },
});
const [what, directory = 'certs', port = '0', peer = ''] = positionals;

if (what === 'issue') {
  await issueCertificates(directory, ['checkout', 'payments']);
  console.log(`certificates of checkout and payments are in ${directory}`);
} else if (what === 'client' || what === 'server') {
  const { hostname: host, port: peerPort } = new URL(`http://${peer}`);
  const identity = await identityOf(directory, Number(values['poll-ms']));
  const proxy =
    what === 'client'
      ? clientSide({ identity, port: Number(port), server: { host, port: Number(peerPort) } })
      : serverSide({
          identity,
          port: Number(port),
          origin: peer,
          ...(values.host === undefined ? {} : { host: values.host }),
        });
  await proxy.start();
  const [address] = Object.values<Address>(proxy.addresses()) as [{ host: string; port: number }];
  console.log(`${what} side: ${address.host}:${address.port} as ${identity.current().svid.spiffeId}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void proxy
        .drain({ windowMs: 2000 })
        .then(() => proxy.stop())
        .then(() => identity.close());
    });
  }
} else {
  console.error('usage: node src/main.ts issue DIR | server DIR PORT ORIGIN | client DIR PORT SERVER');
  process.exitCode = 64;
}
