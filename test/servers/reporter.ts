// The end of a test run: which servers could not be had, what was therefore not run, and the
// counts alone on the last line. With ETCDKEEP_REQUIRE_ALL=1 anything that was not run is a failure.
import type { Reporter, SerializedError, TestModule, TestSuite } from 'vitest/node';

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const counts = count(modules);
    // An error outside of a test fails the run, so it is counted.
    counts.failed += unhandledErrors.length;
    const lines = notRun(modules);
    if (counts.skipped > 0 && process.env.ETCDKEEP_REQUIRE_ALL === '1') {
      lines.push('what was skipped fails the run (ETCDKEEP_REQUIRE_ALL=1)');
      process.exitCode = 1;
    }
    process.stdout.write(`\n${[...lines, summaryLine(counts)].join('\n')}\n`);
  }
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Counts tests; a file or block that failed by itself (an import, a hook) counts as one failed test. */
function count(modules: readonly TestModule[]): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      // A test that is still pending never got its turn.
      if (state === 'passed' || state === 'failed') counts[state] += 1;
      else counts.skipped += 1;
    }
    const blocks = [module, ...module.children.allSuites()];
    counts.failed += blocks.filter((block) => block.errors().length > 0).length;
  }
  return counts;
}

/** A line for each server that could not be had, and below it the blocks that needed it. */
function notRun(modules: readonly TestModule[]): string[] {
  const byServer = new Map<string, string[]>();
  for (const module of modules) {
    for (const suite of module.children.allSuites()) {
      const missing = suite.meta().notRun;
      // Blocks inside a block that was not run are counted with it.
      const { parent } = suite;
      const isInner = parent.type === 'suite' && parent.meta().notRun !== undefined;
      if (missing === undefined || isInner) continue;
      const heading = `${missing.server} could not be had: ${missing.reason}`;
      const lines = byServer.get(heading) ?? [];
      lines.push(`  not run: ${module.relativeModuleId} > ${nameOf(suite)}, ${tests(suite)}`);
      byServer.set(heading, lines);
    }
  }
  return [...byServer].flatMap(([heading, lines]) => [heading, ...lines]);
}

/** The block's name without the reason, which the heading has. */
function nameOf(suite: TestSuite): string {
  return suite.fullName.replace(/ \(not run: .*\)$/, '');
}

function tests(suite: TestSuite): string {
  const size = [...suite.children.allTests()].length;
  return `${size} ${size === 1 ? 'test' : 'tests'}`;
}

function summaryLine({ passed, failed, skipped }: Counts): string {
  const rest = skipped > 0 ? `, ${skipped} skipped` : '';
  return `${passed} passed, ${failed} failed${rest}`;
}
