import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

/**
 * Runs a module in a process of its own and gives the packages of the SDK that were resolved meanwhile, and the large
 * parts of Node.
 */
async function loaded(script: string): Promise<string[]> {
  const source = `
    import { registerHooks } from 'node:module';
    const seen = new Set();
    registerHooks({ resolve(specifier, context, next) {
      if (specifier.startsWith('@opentelemetry/')) seen.add(specifier);
      return next(specifier, context);
    } });
    ${script}
    for (const part of process.moduleLoadList)
      if (/ (http|internal\\/deps\\/undici\\/undici)$/.test(part)) seen.add(part);
    console.log(JSON.stringify([...seen]));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: import.meta.dirname,
  });
  return JSON.parse(stdout) as string[];
}

it('loads nothing of the SDK before an exporter is made, nor for one that makes no traces, and node:http with its first export', async () => {
  const index = JSON.stringify(new URL('./index.ts', import.meta.url).href);
  expect(await loaded(`await import(${index});`)).toEqual([]);
  expect(
    await loaded(`
      const { otlp } = await import(${index});
      const plugin = otlp({ traces: false, env: {} });
      await plugin.sink.close();`),
  ).toEqual([]);
  const ours = await loaded(`
      const { otlp } = await import(${index});
      const plugin = otlp({ env: {} });
      await plugin.sink.close();`);
  expect(ours).toContain('@opentelemetry/sdk-trace-base');
  expect(ours.filter((name) => name.startsWith('NativeModule'))).toEqual([]);
});
