import java.io.File;
import java.util.List;
import java.util.Map;
import org.apache.maven.plugin.surefire.log.api.NullConsoleLogger;
import org.apache.maven.plugins.surefire.report.ReportTestSuite;
import org.apache.maven.plugins.surefire.report.SurefireReportParser;

/** Prints what surefire's parser makes of the reports in a directory, as JSON. */
class Surefire {
	public static void main(String[] arguments) {
		SurefireReportParser parser = new SurefireReportParser(List.of(new File(arguments[0])), new NullConsoleLogger());
		List<ReportTestSuite> suites = parser.parseXMLReportFiles();
		Map<String, Object> summary = parser.getSummary(suites);

		System.out.printf("{\"tests\":%s,\"failures\":%s,\"errors\":%s,\"skipped\":%s}%n", summary.get("totalTests"),
				  summary.get("totalFailures"), summary.get("totalErrors"), summary.get("totalSkipped"));
	}
}
