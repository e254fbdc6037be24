/** Operators of formats whose argument is an expression. */
export const CEL_OPERATORS = ['CEL', 'TYPED_CEL'] as const;

/** Whether a part of a configuration has an expression, whoever reads it: a condition `cel`, or an operator in a text. */
export function hasCel(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('CEL(');
  if (typeof value !== 'object' || value === null) return false;
  if ('cel' in value && typeof value.cel === 'string') return true;
  return Object.values(value).some(hasCel);
}
