export { ComponentReports } from './component-reports.js';
export { REPORT_TYPE, type ReportObject } from './report-object.js';
