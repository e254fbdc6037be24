import { afterEach, beforeEach, expect, it } from 'vitest';
import { meshProcesses, type MeshProcesses } from './mesh-processes.ts';

let mesh: MeshProcesses;
beforeEach(async () => {
  mesh = await meshProcesses();
});
afterEach(async () => mesh.close());

it('a signal at the moment in which the program starts ends the program, and then the sidecar', async () => {
  await mesh.startControlPlane();
  const sidecars = ['a', 'b', 'c'].map(async (name) => {
    const sidecar = await mesh.startSidecar({ name, singleProcess: true });
    sidecar.process.kill('SIGTERM'); // it has just said that it joined
    // Its output ends only when the program, which shares it, has ended too.
    expect(await sidecar.ended).toMatchObject({ code: 128 + 15, signal: null });
  });
  await Promise.all(sidecars);
}, 60_000);
