"use strict";
{
	const form = document.getElementById("filter");
	const rows = Array.from(document.querySelectorAll("#cases tbody tr"), (row) => ({
		row, text: row.firstElementChild.textContent.toLowerCase(), verdicts: row.dataset.verdicts.split(" "),
	}));
	const shown = document.getElementById("shown");
	const filter = () => {
		const text = form.elements.text.value.toLowerCase(), verdict = form.elements.verdict.value;
		let count = 0;
		for (const { row, text: name, verdicts } of rows) {
			const matches = name.includes(text) ? (verdict ? verdicts.includes(verdict) : true) : false;
			row.hidden = !matches;
			count += matches ? 1 : 0;
		}
		shown.textContent = `${count} of ${rows.length} cases`;
	};
	form.addEventListener("input", filter);
	form.addEventListener("submit", (event) => event.preventDefault());
	form.hidden = false;
	filter();
}
