import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const CI_RUN = join(import.meta.dirname, '../../../.ci/run');
/** What the script itself uses; found where this machine has it. */
const BASICS = ['bash', 'sh', 'dirname', 'chmod', 'rm', 'cat'];
const TOOLS = ['haproxy', 'nginx', 'wrk', 'h2load', 'curl', 'nft', 'ip', 'python3'];

// The script runs for real, in a copy of its place, on a PATH of nothing but stand-ins that write down what they are asked.
describe('.ci/run', () => {
  let directory = '';
  let bin = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ci-run-'));
    bin = join(directory, 'bin');
    for (const path of [bin, join(directory, '.ci')]) mkdirSync(path);
    writeFileSync(join(directory, '.ci/run'), readFileSync(CI_RUN));
    for (const name of BASICS)
      symlinkSync(
        execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(),
        join(bin, name),
      );
    stub('id', 'echo 0');
    stub('node', 'echo "node $*" >>"$LOG"');
    stub('apt-get', 'echo "apt-get $*" >>"$LOG"');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function stub(name: string, script: string): void {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  function run(): { status: number | null; out: string; asked: string[] } {
    const log = join(directory, 'log');
    writeFileSync(log, '');
    const env = { PATH: bin, LOG: log, TULLE_CI_POLICY_FILE: join(directory, 'policy-rc.d') };
    const { status, stdout, stderr } = spawnSync(join(bin, 'bash'), [join(directory, '.ci/run')], {
      env,
      encoding: 'utf8',
    });
    const asked = readFileSync(log, 'utf8').trim().split('\n');
    return { status, out: stdout + stderr, asked };
  }
  const CHECKS = 'node tooling/bootstrap.mjs node tooling/checks/src/main.ts --system';

  it('installs nothing where everything is there, and runs all checks', () => {
    for (const tool of TOOLS) stub(tool, 'exit 0');
    expect(run()).toMatchObject({ status: 0, asked: ['node tooling/bootstrap.mjs', CHECKS] });
  });

  it('installs what is missing, one by one, with services kept from starting, and cleans up', () => {
    for (const tool of ['curl', 'haproxy']) stub(tool, 'exit 0');
    stub(
      'apt-get',
      'echo "apt-get $*, services $(sh "$TULLE_CI_POLICY_FILE"; echo $?), $DEBIAN_FRONTEND" >>"$LOG"',
    );
    const { status, asked } = run();
    const install = 'apt-get install -y -qq --no-install-recommends';
    const how = 'services 101, noninteractive';
    expect(asked).toEqual([
      `apt-get update -qq, ${how}`,
      ...['nginx', 'wrk', 'nghttp2-client', 'nftables', 'iproute2', 'python3', 'python3-venv'].map(
        (name) => `${install} ${name}, ${how}`,
      ),
      'node tooling/bootstrap.mjs',
      CHECKS,
    ]);
    expect(status).toBe(0);
    expect(existsSync(join(directory, 'policy-rc.d'))).toBe(false);
  });

  it('asks for the module that makes virtual environments where python3 lacks it', () => {
    for (const tool of TOOLS) stub(tool, tool === 'python3' ? 'exit 1' : 'exit 0');
    expect(run().asked).toContain('apt-get install -y -qq --no-install-recommends python3-venv');
  });

  it('leaves a policy that somebody else made', () => {
    writeFileSync(join(directory, 'policy-rc.d'), '#!/bin/sh\nexit 0\n');
    run();
    expect(readFileSync(join(directory, 'policy-rc.d'), 'utf8')).toBe('#!/bin/sh\nexit 0\n');
  });

  it('goes on when lists or packages cannot be had, and says which', () => {
    stub('apt-get', 'echo "apt-get $*" >>"$LOG"; case "$*" in update*|*wrk) exit 100;; esac');
    const { status, out, asked } = run();
    expect(out).toContain('apt-get update failed');
    expect(out).toContain('ci: wrk could not be installed');
    expect(out).not.toContain('ci: nginx could not');
    expect(asked.at(-1)).toBe(CHECKS);
    expect(status).toBe(0);
  });

  it('installs nothing without root, and says what is missing', () => {
    stub('id', 'echo 1000');
    const { out, asked } = run();
    expect(out).toContain(
      'no root with apt-get to install them: haproxy nginx wrk nghttp2-client curl nftables iproute2 python3 python3-venv',
    );
    expect(asked).toEqual(['node tooling/bootstrap.mjs', CHECKS]);
  });

  it('counts a failed bootstrap as one failure', () => {
    for (const tool of TOOLS) stub(tool, 'exit 0');
    stub('node', 'exit 1');
    const { status, out } = run();
    expect(status).toBe(1);
    expect(out.trim().split('\n').at(-1)).toBe('0 passed, 1 failed, 0 skipped');
  });

  it('ends as the checks end', () => {
    for (const tool of TOOLS) stub(tool, 'exit 0');
    stub('node', 'case "$*" in *main.ts*) exit 3;; esac');
    expect(run().status).toBe(3);
  });
});
