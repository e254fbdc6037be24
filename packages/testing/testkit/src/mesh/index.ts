/**
 * A whole mesh in one test: the control plane, xDS and a proxy an instance, in memory and virtual time. It is apart from the rest so
 * that the tests of a single filter load no control plane.
 * @packageDocumentation
 */
export { createTestMesh } from './create-test-mesh.ts';
export type {
  ServedRequest,
  TestAnswer,
  TestHandler,
  TestMeshOptions,
  TestProgram,
  TestGateway,
  TestService,
} from './mesh-options.ts';
export type { GatewayCall, MeshCall, MeshInstance, MeshRecord, MeshResponse, TestMesh } from './test-mesh.ts';
