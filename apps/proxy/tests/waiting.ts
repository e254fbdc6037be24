/**
 * Configurations of the corpus that this proxy refuses today, each with the path that it names. What is refused no more does not belong
 * here: the test says so.
 */
export const WAITING: Readonly<Record<string, string>> = {};
