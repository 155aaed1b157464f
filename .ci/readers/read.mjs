// Prints what a reader from npm makes of a report, as JSON: node read.mjs READER FILE
import fs from "fs";
import { createRequire } from "module";

const require = createRequire(import.meta.url);
const [reader, file] = process.argv.slice(2);

const readers = {
	"test-results-parser": () => {
		const result = require("test-results-parser").parse({ type: "junit", files: [file] });

		// Its total is without what was skipped.
		return { tests: result.total + result.skipped, passed: result.passed, red: result.failed + result.errors, skipped: result.skipped };
	},
	"junit2json": async () => {
		const { parse } = await import("junit2json");
		const root = await parse(fs.readFileSync(file));
		const cases = root.testsuite.flatMap((suite) => suite.testcase);
		const having = (key) => cases.filter((testcase) => testcase[key]).length;

		return { tests: cases.length, failures: having("failure"), errors: having("error"), skipped: having("skipped") };
	},
};

console.log(JSON.stringify(await readers[reader]()));
