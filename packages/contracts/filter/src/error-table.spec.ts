import { describe, expect, it } from 'vitest';
import { ERROR_TABLE, errorRow, isTulleError, TulleError, type ErrorCode } from './index.ts';

const rows = Object.entries(ERROR_TABLE);

describe('the error table', () => {
  it('gives each code a reason number of its own', () => {
    expect(new Set(rows.map(([, row]) => row.reason)).size).toBe(rows.length);
  });

  it('has codes of the form TULLE_<AREA>_<WHAT>', () => {
    for (const [code] of rows) expect(code).toMatch(/^TULLE_[A-Z]+(_[A-Z]+)*$/);
  });

  it('maps to statuses that exist', () => {
    for (const [code, row] of rows) {
      expect(row.http === 0 || (row.http >= 200 && row.http <= 599), code).toBe(true);
      expect(row.grpc >= 0 && row.grpc <= 16, code).toBe(true);
    }
  });

  it('tells the person at night what to look at, in whole sentences', () => {
    for (const [code, row] of rows) {
      expect(row.hint.length, code).toBeGreaterThan(30);
      expect(row.hint, code).toMatch(/[.?]$/);
    }
  });

  it('never calls an error retryable that the caller caused', () => {
    for (const [code, row] of rows) if (row.source === 'downstream') expect(row.retryable, code).toBe(false);
  });

  it('cannot be changed by anybody', () => {
    expect(Object.isFrozen(ERROR_TABLE)).toBe(true);
    for (const [, row] of rows) expect(Object.isFrozen(row)).toBe(true);
  });

  it('knows no code that it does not list, prototype names included', () => {
    expect(errorRow('TULLE_NO_SUCH')).toBeUndefined();
    expect(errorRow('constructor')).toBeUndefined();
    expect(errorRow('TULLE_AUTHZ_DENIED')?.http).toBe(403);
  });
});

describe('TulleError', () => {
  it('carries code, context, issues and cause', () => {
    const cause = new Error('deep');
    const issues = [{ path: '/a', message: 'must be a number' }];
    const error = new TulleError('TULLE_CONFIG_INVALID', 'bad', { cause, context: { filter: 'x' }, issues });
    expect(error.row).toBe(ERROR_TABLE.TULLE_CONFIG_INVALID);
    expect(error).toMatchObject({
      code: 'TULLE_CONFIG_INVALID' satisfies ErrorCode,
      cause,
      context: { filter: 'x' },
      issues,
    });
  });

  it('is recognised across copies of the package by its brand', () => {
    const foreign = Object.defineProperty(new Error('from another copy'), Symbol.for('tulle.error'), {
      value: true,
    });
    expect(isTulleError(foreign)).toBe(true);
    expect(isTulleError(new Error('plain'))).toBe(false);
    expect(isTulleError(null)).toBe(false);
  });
});
