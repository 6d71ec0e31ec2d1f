import { assertEquals, assertThrows } from "./assert.ts";
import { readMetrics, valueOf } from "./prometheus_text.ts";

const GAUGE = "# HELP size how big\n# TYPE size gauge\n";
const HISTOGRAM = "# HELP time how long\n# TYPE time histogram\n";

Deno.test("readMetrics: help, type, labels and values come out as they went in", () => {
  const text = `${GAUGE}size{of="a",in="x\\"y\\\\z\\n"} 1.5e-7\n\n` +
    `${HISTOGRAM}time_bucket{le="1"} 2\ntime_bucket{le="+Inf"} 3\ntime_sum 4\ntime_count 3\n`;
  const families = readMetrics(text);
  assertEquals(families.get("size"), {
    help: "how big",
    type: "gauge",
    samples: [{ name: "size", labels: { of: "a", in: 'x"y\\z\n' }, value: 1.5e-7 }],
  });
  assertEquals(valueOf(families, "time_bucket", { le: "+Inf" }), 3);
  assertEquals(valueOf(families, "time_sum"), 4);
  assertEquals(valueOf(families, "time_min"), null);
});

const BAD: Readonly<Record<string, string>> = {
  "no end of the last line": `${GAUGE}size 1`,
  "no TYPE": "# HELP size how big\nsize 1\n",
  "no HELP": "# TYPE size gauge\nsize 1\n",
  "an empty HELP": "# HELP size \n# TYPE size gauge\nsize 1\n",
  "the HELP of another": "# HELP other how big\n# TYPE size gauge\nsize 1\n",
  "a type that is none": "# HELP size how big\n# TYPE size number\nsize 1\n",
  "a sample of another metric": `${GAUGE}other 1\n`,
  "a metric that comes twice": `${GAUGE}size 1\n${GAUGE}size 2\n`,
  "a series that comes twice": `${GAUGE}size{a="1",b="2"} 1\nsize{b="2",a="1"} 2\n`,
  "a value that is none": `${GAUGE}size undefined\n`,
  "NaN": `${GAUGE}size NaN\n`,
  "a quote within a label": `${GAUGE}size{of="a"b"} 1\n`,
  "a label without quotes": `${GAUGE}size{of=a} 1\n`,
  "a label that comes twice": `${GAUGE}size{of="a",of="b"} 1\n`,
  "a time": `${GAUGE}size 1 1234567\n`,
  "buckets that fall":
    `${HISTOGRAM}time_bucket{le="1"} 2\ntime_bucket{le="+Inf"} 1\ntime_sum 4\ntime_count 1\n`,
  "bounds that fall":
    `${HISTOGRAM}time_bucket{le="2"} 1\ntime_bucket{le="1"} 2\ntime_bucket{le="+Inf"} 2\n` +
    "time_sum 4\ntime_count 2\n",
  "no bucket for all": `${HISTOGRAM}time_bucket{le="1"} 2\ntime_sum 4\ntime_count 2\n`,
  "another count": `${HISTOGRAM}time_bucket{le="+Inf"} 2\ntime_sum 4\ntime_count 3\n`,
  "no sum": `${HISTOGRAM}time_bucket{le="+Inf"} 2\ntime_count 2\n`,
};

for (const [what, text] of Object.entries(BAD)) {
  Deno.test(`readMetrics: does not take ${what}`, () => {
    assertThrows(() => readMetrics(text), SyntaxError);
  });
}
