import { TulleError, type ConfigIssue } from '@tulle/filter';

/** Collects what is wrong with a configuration, so that all of it is said at once. */
export class Issues {
  readonly list: ConfigIssue[] = [];

  add(path: string, message: string): void {
    this.list.push({ path, message });
  }

  /** Runs `fn` at `base`; the issues of a TulleError that it throws are taken over below that path. */
  guard<T>(base: string, fn: () => T): T | undefined {
    try {
      return fn();
    } catch (error) {
      this.take(base, error);
      return undefined;
    }
  }

  /** Takes an error over as issues below `base`. */
  take(base: string, error: unknown): void {
    if (
      error instanceof Error &&
      'issues' in error &&
      Array.isArray(error.issues) &&
      error.issues.length > 0
    ) {
      for (const issue of error.issues as ConfigIssue[]) this.add(base + issue.path, issue.message);
    } else this.add(base, error instanceof Error ? error.message : String(error));
  }

  /** @throws TulleError `TULLE_CONFIG_INVALID` with every issue, when there is one */
  finish(): void {
    if (this.list.length > 0) throw this.error();
  }

  /** `TULLE_CONFIG_INVALID` with every issue. */
  error(): TulleError {
    return new TulleError(
      'TULLE_CONFIG_INVALID',
      `the configuration was refused whole: ${this.list.map((issue) => `${issue.path || '/'} ${issue.message}`).join('; ')}`,
      { issues: this.list },
    );
  }
}
