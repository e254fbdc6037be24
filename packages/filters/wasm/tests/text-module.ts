import wabt from 'wabt';

const tools: Awaited<ReturnType<typeof wabt>> = await wabt();

/** The module that a text says, in Base64. */
export function bytesOf(text: string): string {
  return Buffer.from(tools.parseWat('test.wat', text).toBinary({}).buffer).toString('base64');
}

/** What is put into a module of {@link moduleOf}. */
export interface ModuleParts {
  readonly abi?: string;
  /** What it does before it gives room. */
  readonly malloc?: string;
  readonly imports?: string;
}

/** A module whose memory begins at `data`, and which gives room from 4096 on. */
export function moduleOf(
  body: string,
  { abi = '0_2_1', malloc = '', imports = '' }: ModuleParts = {},
): string {
  const text = `(module
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_buffer_bytes" (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_header_map_pairs" (func $set_pairs (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    ${imports}
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 4096))
    (func (export "proxy_abi_version_${abi}"))
    (func (export "malloc") (param $size i32) (result i32)
      ${malloc}
      (global.set $top (i32.add (global.get $top) (local.get $size)))
      (i32.sub (global.get $top) (local.get $size)))
    (func (export "proxy_on_context_create") (param i32 i32))
    ;; Says the status, as a digit, in the field "s".
    (data (i32.const 0) "s")
    (func $say (param $status i32)
      (i32.store8 (i32.const 1) (i32.add (i32.const 48) (local.get $status)))
      (drop (call $add (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 1))))
    ${body})`;
  return bytesOf(text);
}
