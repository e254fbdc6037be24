import { readFlags } from '@tulle/sidecar/flags';
import { describe, expect, it } from 'vitest';
import { ENVOY_FLAGS, envoyOptions, type FlagsRead } from './flags.ts';

const read = (...argv: string[]): FlagsRead => envoyOptions(readFlags(ENVOY_FLAGS, argv, {}));

describe('flags of Envoy’s program', () => {
  it('mean what they mean there', () => {
    const { options, mode } = read(
      '-c',
      'envoy.yaml',
      '--concurrency',
      '4',
      '--base-id',
      '3',
      '--service-node',
      'n',
      '--service-cluster',
      'c',
      '--service-zone',
      'z',
      '--drain-time-s',
      '30',
      '--parent-shutdown-time-s',
      '60',
      '-l',
      'warning',
      '--log-path',
      '/l',
      '--admin-address-path',
      '/a',
      '--mode',
      'validate',
    );
    expect(mode).toBe('validate');
    expect(options).toMatchObject({
      configPath: 'envoy.yaml',
      workers: 4,
      baseId: 3,
      serviceNode: 'n',
      serviceCluster: 'c',
      serviceZone: 'z',
      drainTimeMs: 30_000,
      parentShutdownTimeMs: 60_000,
      logLevel: 'warn',
      logPath: '/l',
      adminAddressPath: '/a',
    });
    expect(read('--config-path=envoy.yaml', '--concurrency', '0').options.workers).toBe(1);
    expect(read('-c', 'x', '--drain-strategy', 'immediate').options.drainTimeMs).toBe(0);
    expect(read('-c', 'x', '--allow-unknown-fields').options.allowUnknownStaticFields).toBe(true);
    expect(read('-c', 'x').options.allowUnknownStaticFields).toBe(false);
  });

  it('that change nothing are taken, and said', () => {
    const { notes } = read(
      '-c',
      'x',
      '--disable-hot-restart',
      '--component-log-level',
      'upstream:debug',
      '--file-flush-interval-msec',
      '1000',
    );
    expect(notes).toEqual([
      expect.stringMatching(/^--component-log-level is taken: /),
      expect.stringMatching(/^--file-flush-interval-msec is taken: /),
      expect.stringMatching(/^--disable-hot-restart is taken: /),
    ]);
  });

  it('that are not done are refused by name', () => {
    expect(() => read('-c', 'x', '--stats-tag', 'a:b')).toThrow('--stats-tag is not supported');
    expect(() => read('-c', 'x', '--restart-epoch', '1')).toThrow('--restart-epoch must be 0');
    expect(() => read()).toThrow('no bootstrap is given');
    expect(() => read('-c', 'x', '--base-id', '1', '--use-dynamic-base-id')).toThrow('exclude each other');
    expect(() => read('-c', 'x', '--mode', 'init_only')).toThrow('--mode cannot be "init_only"');
    expect(() => read('-c', 'x', '-l', 'loud')).toThrow('--log-level cannot be "loud"');
    expect(() => read('-c', 'x', '--concurrency', '1.5')).toThrow('--concurrency must be a whole number');
  });
});
