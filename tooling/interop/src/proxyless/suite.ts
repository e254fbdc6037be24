import { go } from '../go-programs.ts';
import { program } from '../needs.ts';
import type { Suite } from '../suite.ts';
import { cases } from './cases.ts';
import { openProxylessMesh, type ProxylessMesh } from './mesh.ts';
import { goProgram, jsPrograms } from './programs.ts';

export const proxylessSuite: Suite<ProxylessMesh> = {
  name: 'grpc-proxyless',
  about: "@grpc/grpc-js-xds and grpc-go as workloads of Tulle's mesh, without a proxy, with servers of both",
  needs: [go, program('npm', 'it comes with Node'), goProgram, jsPrograms],
  open: openProxylessMesh,
  cases,
};
