// Lines of a snapshot: each has facts about one repository, and a bounded length.

const lineLength = 16 * 1024;

/** Lines with a list of items. At an undefined item and between items the writer may pause. */
export function* linesOf(repository: string, field: string, items: Iterable<unknown>): Generator<string> {
  const start = `{"repository":${JSON.stringify(repository)},"${field}":[`;
  let list = '';
  for (const item of items) {
    if (item !== undefined) list += (list === '' ? '' : ',') + JSON.stringify(item);
    if (list.length < lineLength) {
      yield '';
      continue;
    }
    yield `${start}${list}]}\n`;
    list = '';
  }
  if (list !== '') yield `${start}${list}]}\n`;
}

/** Lines with a text of many words, none of which needs an escape in JSON. After each line the writer may pause. */
export function* wordLinesOf(repository: string, field: string, words: Iterable<string>): Generator<string> {
  const start = `{"repository":${JSON.stringify(repository)},"${field}":"`;
  let text = '';
  for (const word of words) {
    text += (text === '' ? '' : ' ') + word;
    if (text.length < lineLength) continue;
    yield `${start}${text}"}\n`;
    text = '';
  }
  if (text !== '') yield `${start}${text}"}\n`;
}
