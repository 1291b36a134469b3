(() => {
  const SHARED = {
    font: {family: "system-ui, sans-serif", size: 12, color: "#1c232b"},
    margin: {l: 52, r: 12, t: 12, b: 44},
    paper_bgcolor: "white", plot_bgcolor: "white", hovermode: "closest",
    legend: {orientation: "h", x: 0, xanchor: "left", y: -0.22, yanchor: "top"},
  };
  const AXIS = {automargin: true, gridcolor: "#e6eaee", zeroline: false, ticks: "outside", tickcolor: "#aab4be"};
  const CONFIG = {responsive: true, displayModeBar: false};
  const read = box => JSON.parse(document.getElementById("data-" + box.dataset.key).textContent);
  const draw = (box, traces, layout) => Plotly.newPlot(box, traces, {
    ...SHARED, ...layout, xaxis: {...AXIS, ...layout.xaxis}, yaxis: {...AXIS, ...layout.yaxis},
  }, CONFIG);

  for (const box of document.querySelectorAll(".chart")) {
    const {data, layout} = read(box);
    draw(box, data, layout);
  }

  for (const box of document.querySelectorAll(".motion")) {
    const key = box.dataset.key, content = read(box);
    const slider = document.querySelector(`[data-slide="${key}"]`);
    const said = document.querySelector(`[data-said="${key}"]`);
    const button = document.querySelector(`[data-play="${key}"]`);
    const all = content.traces.map((_, k) => k);
    const at = frame => {
      const near = content.observed[content.nearest[frame]] || {x: [], y: []};
      const kinds = content.groups && content.groups[frame];
      const of = rows => all.slice(1).map(
        (_, k) => kinds ? rows[frame].filter((_, i) => kinds[i] === k) : rows[frame]);
      const change = {x: [near.x, ...of(content.x)], y: [near.y, ...of(content.y)]};
      if (content.size) change["marker.size"] = [7, ...of(content.size)];
      return change;
    };
    const move = () => {
      const frame = Number(slider.value), near = content.observed[content.nearest[frame]];
      Plotly.restyle(box, at(frame), all);
      said.textContent = `${content.label} ${content.times[frame]}`
        + (near ? `; observed: ${content.label} ${near.name}${near.held ? ", held out" : ""}` : "");
    };
    draw(box, content.traces, content.layout).then(move);
    slider.addEventListener("input", move);
    let timer = null;
    const stop = () => { clearInterval(timer); timer = null; button.textContent = "Play"; };
    button.addEventListener("click", () => {
      if (timer !== null) return stop();
      if (slider.value === slider.max) slider.value = 0;
      button.textContent = "Stop";
      timer = setInterval(() => {
        slider.value = Number(slider.value) + 1;
        move();
        if (slider.value === slider.max) stop();
      }, 120);
    });
  }
})();
