import { quoted, type CompletionCommand, type CompletionModel } from './completion-model.ts';

/** A completion function for bash 4 and later; needs nothing else. */
export function bashCompletion({ words, commands }: CompletionModel): string {
  const groups = words.filter(({ second }) => second.length > 0);
  return `# bash completion of tulle: source <(tulle completion bash)
_tulle() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} first=\${COMP_WORDS[1]:-} second=\${COMP_WORDS[2]:-}
  local command=$first at=2 options='' values='' files='' args=() i
  COMPREPLY=()
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=( $(compgen -W ${quoted(words.map(({ word }) => word).join(' '))} -- "$cur") )
    return
  fi
  case $first in
${groups
  .map(
    ({ word, second }) => `    ${word})
      if (( COMP_CWORD == 2 )); then
        COMPREPLY=( $(compgen -W ${quoted(second.map((one) => one.word).join(' '))} -- "$cur") )
        return
      fi
      command="$first $second" at=3 ;;`,
  )
  .join('\n')}
  esac
  case $command in
${commands.map(caseOf).join('\n')}
    *) return ;;
  esac
  # -o json, or -o=json and --output=json, which bash splits at the sign
  [[ $cur == = ]] && cur=''
  [[ $prev == = ]] && prev=\${COMP_WORDS[COMP_CWORD-2]}
  case "$files" in *" $prev "*) COMPREPLY=( $(compgen -f -- "$cur") ); return ;; esac
  while IFS='|' read -r i what; do
    case " $i " in *" $prev "*)
      [[ -n $what ]] && COMPREPLY=( $(compgen -W "$what" -- "$cur") )
      [[ \${COMPREPLY[0]:-} == *= ]] && compopt -o nospace
      return ;;
    esac
  done <<< "$values"
  if [[ $cur == -* ]]; then
    COMPREPLY=( $(compgen -W "$options" -- "$cur") )
    return
  fi
  # which argument is it? words that are no options, nor their values
  local n=0 word taken=''
  for (( i = at; i < COMP_CWORD; i++ )); do
    word=\${COMP_WORDS[i]}
    if [[ -n $taken ]]; then taken=''; continue; fi
    case $word in
      --) COMPREPLY=( $(compgen -c -- "$cur") ); return ;;
      -*) case "$values$files" in *" $word "*) taken=1 ;; esac ;;
      *) n=$((n + 1)) ;;
    esac
  done
  COMPREPLY=( $(compgen -W "\${args[n]:-}" -- "$cur") )
}
complete -o default -F _tulle tulle
`;
}

function caseOf({ name, options, args }: CompletionCommand): string {
  const flags = (one: CompletionCommand['options'][number]): string =>
    `--${one.long}${one.short === undefined ? '' : ` -${one.short}`}`;
  const values = options.filter(({ value }) => value !== 'none' && value !== 'file');
  const files = options.filter(({ value }) => value === 'file');
  return `    ${quoted(name)})
      options=${quoted(options.map(flags).join(' '))}
      files=${quoted(` ${files.map(flags).join(' ')} `)}
      values=${quoted(values.map((one) => ` ${flags(one)} |${typeof one.value === 'string' ? '' : one.value.join(' ')}`).join('\n'))}
      args=(${args.map((choices) => quoted(choices.join(' '))).join(' ')}) ;;`;
}
