import type { Cluster } from '@tulle/model';
import type { AccessLoggers, LineFile } from '@tulle/telemetry';
import type { Issues } from './issues.ts';

/** Files that are told what becomes of the endpoints of one cluster. */
export interface EventFiles {
  /** Of ejections. */
  readonly ejections: LineFile | undefined;
  /** Of turns of health, of each check. */
  readonly health: readonly (readonly LineFile[])[];
}

/** Of clusters that have none, which are nearly all. */
export const NO_EVENT_FILES: EventFiles = { ejections: undefined, health: [] };

/** Whether a cluster asks for any. */
export function wantsEventFiles({ outlier, healthCheck, moreHealthChecks = [] }: Cluster): boolean {
  const checks = healthCheck === undefined ? [] : [healthCheck, ...moreHealthChecks];
  return outlier?.eventLog !== undefined || checks.some(({ eventLogs }) => eventLogs !== undefined);
}

/**
 * Opens what a cluster asks for; what cannot be had goes to `issues`.
 * @param path JSON pointer of the cluster
 * @param opened gets each as soon as it is open, to be closed if nothing comes of the cluster
 */
export async function openEventFiles(
  { outlier, healthCheck, moreHealthChecks = [] }: Cluster,
  path: string,
  loggers: readonly AccessLoggers[],
  issues: Issues,
  opened: LineFile[],
): Promise<EventFiles> {
  const log = outlier?.eventLog;
  const checks = healthCheck === undefined ? [] : [healthCheck, ...moreHealthChecks];
  const maker = loggers.find(({ openFile }) => openFile !== undefined);
  const open = async (file: string, at: string): Promise<readonly LineFile[]> => {
    if (maker?.openFile === undefined) {
      issues.add(
        at,
        'no telemetry plugin of this proxy opens files: give it accessLoggers() of @tulle/telemetry-access-log',
      );
      return [];
    }
    try {
      const made = await maker.openFile(file);
      opened.push(made);
      return [made];
    } catch (error) {
      issues.add(at, error instanceof Error ? error.message : String(error));
      return [];
    }
  };
  const ejections = log === undefined ? [] : await open(log, `${path}/outlier/eventLog`);
  const health: LineFile[][] = [];
  for (const [index, { eventLogs = [] }] of checks.entries()) {
    const of: LineFile[] = [];
    const at = index === 0 ? 'healthCheck' : `moreHealthChecks/${index - 1}`;
    for (const [place, file] of eventLogs.entries())
      of.push(...(await open(file, `${path}/${at}/eventLogs/${place}`)));
    health.push(of);
  }
  return { ejections: ejections[0], health };
}
