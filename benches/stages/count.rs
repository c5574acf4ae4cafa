//! `count STAGE TIMES` does one stage so many times, for `benches/instructions.sh` to count what it executes; without
//! arguments it lists the stages.

mod work;

fn main() -> Result<(), work::Failed> {
    let dir = tempfile::tempdir()?;
    let mut stages = work::stages(dir.path(), false)?;
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        for stage in &stages {
            println!("{}", stage.name);
        }
        return Ok(());
    };
    let times: u64 = arguments.next().ok_or("how often?")?.parse()?;
    let stage = stages.iter_mut().find(|stage| stage.name == name);
    let stage = stage.ok_or("there is no such stage")?;
    for _ in 0..times {
        (stage.go)();
    }
    Ok(())
}
