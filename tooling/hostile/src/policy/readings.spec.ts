import { describe, expect, it } from 'vitest';
import { hostReadings, mayRead } from './readings.ts';

describe('how origins may read', () => {
  it.each([
    '/admin',
    '/ADMIN/x',
    '//admin',
    '/a/../admin',
    '/%61dmin',
    '/%2561dmin',
    '/a/..;/admin',
    '/admin;x',
    '/a\\..\\admin',
    '/admin%2fx',
    '/admin%00.html',
    '/admin%23',
    '/admin.',
    '/%c0%ae%c0%ae/admin',
    'http://h/admin',
  ])('%s is /admin to somebody', (target) => {
    expect(mayRead(target, '/admin')).toBe(true);
  });

  it.each(['/administrator', '/x/admin', '/', '/public?/admin', '/adm', '/public/%E2%82%AC'])(
    '%s is /admin to nobody',
    (target) => {
      expect(mayRead(target, '/admin')).toBe(false);
    },
  );

  it('of hosts: case, port, last dot and userinfo', () => {
    for (const authority of [
      'ADMIN.test',
      'admin.test:80',
      'admin.test.',
      'x@admin.test',
      'admin%2etest',
      'a, admin.test',
    ])
      expect(hostReadings(authority)).toContain('admin.test');
    for (const authority of ['public.test', 'admin.test.example', 'xadmin.test'])
      expect(hostReadings(authority)).not.toContain('admin.test');
  });
});
