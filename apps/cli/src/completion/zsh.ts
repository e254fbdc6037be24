import { quoted, type CompletionCommand, type CompletionModel } from './completion-model.ts';

/** A completion function for zsh 5 and later. */
export function zshCompletion({ words, commands }: CompletionModel): string {
  const groups = words.filter(({ second }) => second.length > 0);
  return `#compdef tulle
# zsh completion of tulle: tulle completion zsh > "\${fpath[1]}/_tulle"
_tulle() {
  local command=$words[2]
  if (( CURRENT == 2 )); then
    local -a names=(${words.map((one) => described(one.word, one.summary)).join(' ')})
    _describe command names
    return
  fi
  case $command in
${groups
  .map(
    ({ word, second }) => `    ${word})
      if (( CURRENT == 3 )); then
        local -a names=(${second.map((one) => described(one.word, one.summary)).join(' ')})
        _describe command names
        return
      fi
      command="$words[2] $words[3]"
      shift words; (( CURRENT-- )) ;;`,
  )
  .join('\n')}
  esac
  shift words; (( CURRENT-- ))
  case $command in
${commands.map(caseOf).join('\n')}
  esac
}
if [[ $funcstack[1] == _tulle ]]; then _tulle "$@"; else compdef _tulle tulle; fi
`;
}

const described = (word: string, summary: string): string =>
  quoted(`${word}:${summary.replaceAll(':', '\\:')}`);

function caseOf({ name, options, args, rest }: CompletionCommand): string {
  const specs = [
    ...options.flatMap(({ long, short, help, value }) => {
      const text = help.replace(/[[\]:\\]/g, '\\$&');
      const after =
        value === 'none'
          ? ''
          : `:${long}:${value === 'file' ? '_files' : value === 'any' ? ' ' : `(${value.join(' ')})`}`;
      return [
        ...(short === undefined ? [] : [`*-${short}[${text}]${after}`]),
        `*--${long}${value === 'none' ? '' : '='}[${text}]${after}`,
      ];
    }),
    ...args.map((choices, i) => `${i + 1}:argument:${choices.length === 0 ? ' ' : `(${choices.join(' ')})`}`),
    ...(rest ? ['*::program:_normal'] : []),
  ];
  return `    ${quoted(name)}) _arguments ${specs.map(quoted).join(' ')} ;;`;
}
