#!/usr/bin/env bash
# Renders changelog fragments as Markdown: the unreleased ones, or those of a folder such as changelog/0.1.0.
# The form of a fragment is told in changelog/README.md; one that breaks it is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-changelog/unreleased}
categories=(Security Added Changed Fixed Removed)

[ -d "$dir" ] || { echo "changelog: $dir does not exist" >&2; exit 1; }
shopt -s nullglob
fragments=("$dir"/issue-*.md)

for f in "$dir"/*.md; do
  name=$(basename "$f")
  [[ $name =~ ^issue-[0-9]+-[a-z0-9-]+\.md$ ]] || { echo "changelog: $f: the name is not issue-NNN-slug.md" >&2; exit 1; }
  head=$(head -n 1 "$f")
  [[ " ${categories[*]} " == *" ${head%%:*} "* && $head == *": "* ]] ||
    { echo "changelog: $f: the first line is not 'Category: sentence' (${categories[*]})" >&2; exit 1; }
done

echo "# $(basename "$dir")"
for category in "${categories[@]}"; do
  title=$category
  for f in "${fragments[@]}"; do
    head=$(head -n 1 "$f")
    [ "${head%%:*}" = "$category" ] || continue
    [ -z "$title" ] || printf '\n## %s\n' "$title"
    title=
    issue=$(basename "$f" | cut -d- -f2)
    printf '\n- **%s** (issue %d)\n' "${head#*: }" "$((10#$issue))"
    tail -n +2 "$f" | sed -e '/./,$!d' -e 's/^\(.\)/  \1/'
  done
done
