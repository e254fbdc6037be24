import { expect, it } from 'vitest';
import { reportOf } from './report.ts';

it('counts the cases of a JUnit report and names those that failed', () => {
  const xml = `<testsuites><testsuite name="a" tests="4">
    <testcase package="http2/5.1" classname="half closed: Sends a DATA frame" time="0.1"></testcase>
    <testcase package="http2/6.7" classname="Sends a PING frame" time="0.1"/>
    <testcase package="http2/8.1" classname="Sends &quot;x&quot;" time="2.0"><failure>Timeout</failure></testcase>
    <testcase package="http2/8.2" classname="x" time="0"><skipped></skipped></testcase>
  </testsuite></testsuites>`;
  expect(reportOf(xml)).toEqual({ passed: 2, skipped: 1, failed: ['http2/8.1: Sends &quot;x&quot;'] });
});
