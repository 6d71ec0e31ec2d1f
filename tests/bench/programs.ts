/**
 * The programs of other people that the benchmark needs: where they are, which version, and what to
 * say when one is missing.
 */

// Debian keeps servers in directories that are not on the path of an ordinary user.
const SERVER_DIRECTORIES = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The path of `name`, or undefined when it is not installed. */
export async function findProgram(name: string): Promise<string | undefined> {
  const directories = [...(Deno.env.get("PATH") ?? "").split(":"), ...SERVER_DIRECTORIES];
  for (const directory of directories) {
    const path = `${directory}/${name}`;
    if (directory !== "" && await isFile(path)) return path;
  }
  return undefined;
}

/** What `program` prints for `args` on stdout and stderr together. */
export async function outputOf(program: string, args: readonly string[]): Promise<string> {
  const output = await new Deno.Command(program, { args: [...args], stdin: "null" }).output();
  return new TextDecoder().decode(output.stdout) + new TextDecoder().decode(output.stderr);
}

/** nginx's stream module: a line for its configuration (empty when built in), or undefined when missing. */
export async function nginxStreamDirective(nginx: string): Promise<string | undefined> {
  const build = await outputOf(nginx, ["-V"]);
  if (/--with-stream(\s|$)/.test(build)) return "";
  const directory = /--modules-path=(\S+)/.exec(build)?.[1];
  const path = `${directory}/ngx_stream_module.so`;
  return directory !== undefined && await isFile(path) ? `load_module ${path};` : undefined;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}
