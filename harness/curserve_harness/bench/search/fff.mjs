// Keeps fff's index of one folder and answers queries: `node fff.mjs PACKAGE ROOT`. A line of JSON comes in, the length
// of the answer on a line and the answer (`path:line:text`) go out; an empty answer says that the index is ready.
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [, , folder, root] = process.argv;
const entry = JSON.parse(readFileSync(join(folder, "package.json"))).main;
const { FileFinder } = await import(pathToFileURL(join(folder, entry)));

function value(result) {
  if (!result.ok) throw new Error(`fff: ${result.error}`);
  return result.value;
}

function answer(text) {
  const bytes = Buffer.from(text);
  process.stdout.write(`${bytes.length}\n`);
  process.stdout.write(bytes);
}

const finder = value(FileFinder.create({ basePath: root }));
if (!value(await finder.waitForIndexReady(600_000))) throw new Error(`fff: ${root} is not indexed after ten minutes`);
answer("");

// Everything that matches, as the other engines give it: no limit on a file's size or matches, no smart case.
const all = { maxFileSize: 2 ** 40, maxMatchesPerFile: 0, pageSize: 2 ** 31 - 1, smartCase: false };
for await (const line of createInterface({ input: process.stdin })) {
  const { text, mode } = JSON.parse(line);
  const found = value(finder.grep(text, { ...all, mode }));
  if (found.regexFallbackError) throw new Error(`fff: ${text}: ${found.regexFallbackError}`);
  answer(found.items.map((item) => `${item.relativePath}:${item.lineNumber}:${item.lineContent}\n`).join(""));
}
