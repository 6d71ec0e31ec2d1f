/** The assertions of all tests, with their types: the one place that names the package. */
// @ts-types="./std_assert.d.ts"
export * from "@std/assert";
