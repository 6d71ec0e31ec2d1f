/** A validator of JSON Schema that is not ours: Python's `jsonschema`, where it is installed. */

const SCRIPT = `
import json, sys, jsonschema
given = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(given["schema"])
validator = jsonschema.Draft202012Validator(given["schema"])
print(json.dumps([validator.is_valid(each) for each in given["values"]]))
`;

/** Is it here? Tests of it are skipped where it is not. */
export function hasJsonSchema(): boolean {
  try {
    return new Deno.Command("python3", { args: ["-c", "import jsonschema"], stderr: "null" })
      .outputSync().success;
  } catch {
    return false; // There is no Python.
  }
}

/** Which of the values are valid; rejects where the schema itself is not. */
export async function areValid(schema: unknown, values: readonly unknown[]): Promise<boolean[]> {
  const child = new Deno.Command("python3", {
    args: ["-c", SCRIPT],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify({ schema, values })));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
